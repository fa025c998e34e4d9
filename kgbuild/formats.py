from kgbuild.export import FORMATS, Format, Resources, find_format
from kgbuild.export import export as write_format
