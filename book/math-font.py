"""Makes src/font/book-math.woff2, the font of the book's formulas, from texgyrepagella-math.otf (TeX Gyre Pagella Math 1.632).

    python3 -m venv venv && venv/bin/pip install fonttools brotli
    venv/bin/python book/math-font.py texgyrepagella-math.otf
"""

import pathlib
import sys

from fontTools import subset
from fontTools.ttLib import TTFont

# Letters, Greek, accents, arrows, operators, brackets; and italic, script and double-struck letters.
BLOCKS = [
    (0x20, 0x7E), (0xA0, 0xFF), (0x131, 0x131), (0x237, 0x237), (0x2C6, 0x2DD), (0x302, 0x30C), (0x391, 0x3C9),
    (0x3D1, 0x3F5), (0x2010, 0x2034), (0x2102, 0x2134), (0x2190, 0x2194), (0x21A6, 0x21A6), (0x21D0, 0x21D4),
    (0x2200, 0x222B), (0x223C, 0x2265), (0x2282, 0x2287), (0x22A4, 0x22A5), (0x22C5, 0x22C5), (0x22EF, 0x22F1),
    (0x2308, 0x230B), (0x27E8, 0x27E9), (0x1D434, 0x1D467), (0x1D49C, 0x1D4B5), (0x1D538, 0x1D550), (0x1D6A4, 0x1D6A5),
    (0x1D6E2, 0x1D71B),
]
PRIME = 0x2032

font = TTFont(sys.argv[1])
# A prime is set as an exponent, and browsers do not ask for the glyph that is meant for exponents: make it the prime.
gsub = font["GSUB"].table
exponents = {i for r in gsub.FeatureList.FeatureRecord if r.FeatureTag == "ssty" for i in r.Feature.LookupListIndex}
small = font.getBestCmap()[PRIME]
tables = [getattr(t, "ExtSubTable", t) for i in exponents for t in gsub.LookupList.Lookup[i].SubTable]
large = next(t.alternates[small][0] for t in tables if small in getattr(t, "alternates", {}))
for cmap in font["cmap"].tables:
    if cmap.isUnicode():
        cmap.cmap[PRIME] = large

options = subset.Options(layout_features=[], hinting=False, name_IDs=[0], drop_tables=["FFTM"], notdef_outline=True)
subsetter = subset.Subsetter(options)
subsetter.populate(unicodes=[code for first, last in BLOCKS for code in range(first, last + 1)])
subsetter.subset(font)
# The licence asks that a changed font has another name.
for name_id in (1, 4, 6):
    font["name"].setName("BookMath", name_id, 3, 1, 0x409)
font["CFF "].cff.fontNames[0] = "BookMath"
font.flavor = "woff2"
font.save(pathlib.Path(__file__).parent / "src/font/book-math.woff2")
