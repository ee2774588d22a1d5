//! A canvas that remembers what was drawn and shows it as SVG or as pixels.

use std::fmt::Write;

use tiny_skia::{
    Color, FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, PixmapMut, Stroke, StrokeDash, Transform,
};

const FONT: &[u8] = include_bytes!("../../assets/DejaVuSans-subset.ttf");
/// Pixels of a PNG to a unit of the canvas.
const PNG_SCALE: f32 = 2.0;

/// Red, green, blue and opacity.
pub type Colour = [u8; 4];

/// A point of the canvas: x to the right, y down, from the upper left corner.
pub type Point = [f32; 2];

/// Where a text lies with respect to its point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Anchor {
    /// The text begins at its point.
    Start,
    /// The middle of the text is at its point.
    Middle,
    /// The text ends at its point.
    End,
}

/// One drawing operation.
#[derive(Clone, Debug, PartialEq)]
pub enum Mark {
    /// A line through points, with round ends.
    Line {
        /// The corners.
        points: Vec<Point>,
        /// Units across.
        width: f32,
        /// Length of dashes and gaps; 0 for a solid line.
        dash: f32,
        /// Its colour.
        colour: Colour,
    },
    /// A filled polygon.
    Area {
        /// The corners.
        points: Vec<Point>,
        /// Its colour.
        colour: Colour,
    },
    /// A filled disc.
    Disc {
        /// The centre.
        centre: Point,
        /// The radius.
        radius: f32,
        /// Its colour.
        colour: Colour,
    },
    /// One line of text.
    Text {
        /// A point of the baseline.
        at: Point,
        /// Height of the letters.
        size: f32,
        /// Which part of the text is at that point.
        anchor: Anchor,
        /// Whether the text reads upwards.
        turned: bool,
        /// Its colour.
        colour: Colour,
        /// The words.
        text: String,
    },
}

/// Drawing operations on a white sheet, in the order in which they cover each other.
#[derive(Clone, Debug)]
pub struct Canvas {
    /// Width of the sheet.
    pub width: f32,
    /// Height of the sheet.
    pub height: f32,
    /// What is drawn, from the bottom to the top.
    pub marks: Vec<Mark>,
}

impl Canvas {
    /// An empty sheet.
    pub fn new(width: f32, height: f32) -> Self {
        Self { width, height, marks: Vec::new() }
    }

    /// Draws a solid line.
    pub fn line(&mut self, points: &[Point], width: f32, colour: Colour) {
        self.marks.push(Mark::Line { points: points.to_vec(), width, dash: 0.0, colour });
    }

    /// Fills a polygon.
    pub fn area(&mut self, points: Vec<Point>, colour: Colour) {
        self.marks.push(Mark::Area { points, colour });
    }

    /// Fills a disc.
    pub fn disc(&mut self, centre: Point, radius: f32, colour: Colour) {
        self.marks.push(Mark::Disc { centre, radius, colour });
    }

    /// Writes a line of text, `size` units high.
    pub fn text(&mut self, at: Point, size: f32, anchor: Anchor, colour: Colour, text: &str) {
        self.marks.push(Mark::Text { at, size, anchor, turned: false, colour, text: text.into() });
    }

    /// Puts another sheet below this one.
    pub fn append(&mut self, other: Canvas) {
        let top = self.height;
        let down = |[x, y]: Point| [x, y + top];
        self.marks.extend(other.marks.into_iter().map(|mut mark| {
            match &mut mark {
                Mark::Line { points, .. } | Mark::Area { points, .. } => points.iter_mut().for_each(|p| *p = down(*p)),
                Mark::Disc { centre: at, .. } | Mark::Text { at, .. } => *at = down(*at),
            }
            mark
        }));
        self.width = self.width.max(other.width);
        self.height += other.height;
    }

    /// The picture as an SVG document; its words are text that can be selected and searched.
    pub fn svg(&self) -> String {
        let (w, h) = (self.width, self.height);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" \
             font-family=\"'DejaVu Sans', Verdana, sans-serif\">\n<rect width=\"{w}\" height=\"{h}\" fill=\"#ffffff\"/>\n"
        );
        for mark in &self.marks {
            mark.svg(&mut svg).expect("a string takes everything");
        }
        svg + "</svg>\n"
    }

    /// The picture as a PNG file, with two pixels to a unit.
    pub fn png(&self) -> Vec<u8> {
        self.pixels(PNG_SCALE).encode_png().expect("a pixmap of positive size has a PNG")
    }

    /// The picture as pixels, `scale` of them to a unit.
    pub fn pixels(&self, scale: f32) -> Pixmap {
        let size = |x: f32| (x * scale).round().max(1.0) as u32;
        let mut pixels = Pixmap::new(size(self.width), size(self.height)).expect("the size is positive");
        pixels.fill(Color::WHITE);
        for mark in &self.marks {
            mark.paint(&mut pixels.as_mut(), Transform::from_scale(scale, scale));
        }
        pixels
    }
}

/// Width of a line of text.
pub fn text_width(text: &str, size: f32) -> f32 {
    let face = face();
    let advance = |c| face.glyph_hor_advance(glyph(&face, c)).unwrap_or(0) as f32;
    text.chars().map(advance).sum::<f32>() * size / face.units_per_em() as f32
}

fn face() -> ttf_parser::Face<'static> {
    ttf_parser::Face::parse(FONT, 0).expect("the compiled-in font is a font")
}

/// The glyph of a character: a space for one that cannot be seen, and a question mark for one that the font lacks.
fn glyph(face: &ttf_parser::Face, c: char) -> ttf_parser::GlyphId {
    let c = if c.is_control() { ' ' } else { c };
    face.glyph_index(c).or_else(|| face.glyph_index('?')).expect("the font has a question mark")
}

impl Mark {
    fn svg(&self, out: &mut String) -> std::fmt::Result {
        match self {
            Self::Line { points, width, dash, colour } => {
                write!(out, "<polyline points=\"{}\" fill=\"none\" {}", list(points), ink("stroke", *colour))?;
                write!(out, " stroke-width=\"{width}\" stroke-linecap=\"round\" stroke-linejoin=\"round\"")?;
                if *dash > 0.0 {
                    write!(out, " stroke-dasharray=\"{dash}\"")?;
                }
                writeln!(out, "/>")
            }
            Self::Area { points, colour } => {
                writeln!(out, "<polygon points=\"{}\" {}/>", list(points), ink("fill", *colour))
            }
            Self::Disc { centre: [x, y], radius, colour } => {
                writeln!(out, "<circle cx=\"{x:.2}\" cy=\"{y:.2}\" r=\"{radius}\" {}/>", ink("fill", *colour))
            }
            Self::Text { at: [x, y], size, anchor, turned, colour, text } => {
                let anchor = match anchor {
                    Anchor::Start => "start",
                    Anchor::Middle => "middle",
                    Anchor::End => "end",
                };
                write!(out, "<text x=\"{x:.2}\" y=\"{y:.2}\" font-size=\"{size}\" text-anchor=\"{anchor}\"")?;
                if *turned {
                    write!(out, " transform=\"rotate(-90 {x:.2} {y:.2})\"")?;
                }
                // A document of XML holds no control characters, not even written as numbers.
                let text = text.replace(char::is_control, " ");
                let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                writeln!(out, " {}>{text}</text>", ink("fill", *colour))
            }
        }
    }

    fn paint(&self, pixels: &mut PixmapMut, transform: Transform) {
        let mut paint = Paint { anti_alias: true, ..Default::default() };
        let (Self::Line { colour, .. }
        | Self::Area { colour, .. }
        | Self::Disc { colour, .. }
        | Self::Text { colour, .. }) = self;
        paint.set_color_rgba8(colour[0], colour[1], colour[2], colour[3]);
        let path = match self {
            Self::Line { points, .. } => polygon(points, false),
            Self::Area { points, .. } => polygon(points, true),
            Self::Disc { centre: [x, y], radius, .. } => PathBuilder::from_circle(*x, *y, *radius),
            Self::Text { at, size, anchor, turned, text, .. } => outline(text, *at, *size, *anchor, *turned),
        };
        // Nothing to draw: a text of spaces, a line without length.
        let Some(path) = path else { return };
        if let Self::Line { width, dash, .. } = self {
            let dash = if *dash > 0.0 { StrokeDash::new(vec![*dash, *dash], 0.0) } else { None };
            let (line_cap, line_join) = (LineCap::Round, LineJoin::Round);
            let stroke = Stroke { width: *width, line_cap, line_join, dash, ..Default::default() };
            pixels.stroke_path(&path, &paint, &stroke, transform, None);
        } else {
            pixels.fill_path(&path, &paint, FillRule::Winding, transform, None);
        }
    }
}

fn ink(what: &str, [r, g, b, opacity]: Colour) -> String {
    let colour = format!("{what}=\"#{r:02x}{g:02x}{b:02x}\"");
    if opacity == 255 { colour } else { format!("{colour} {what}-opacity=\"{:.2}\"", opacity as f32 / 255.0) }
}

fn list(points: &[Point]) -> String {
    points.iter().map(|[x, y]| format!("{x:.2},{y:.2}")).collect::<Vec<_>>().join(" ")
}

fn polygon(points: &[Point], close: bool) -> Option<Path> {
    let mut path = PathBuilder::new();
    for (i, &[x, y]) in points.iter().enumerate() {
        if i == 0 { path.move_to(x, y) } else { path.line_to(x, y) }
    }
    if close {
        path.close();
    }
    path.finish()
}

/// The outlines of a text's glyphs.
fn outline(text: &str, [x, y]: Point, size: f32, anchor: Anchor, turned: bool) -> Option<Path> {
    struct Outline(PathBuilder, f32);
    impl ttf_parser::OutlineBuilder for Outline {
        fn move_to(&mut self, x: f32, y: f32) {
            self.0.move_to(self.1 + x, -y);
        }
        fn line_to(&mut self, x: f32, y: f32) {
            self.0.line_to(self.1 + x, -y);
        }
        fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
            self.0.quad_to(self.1 + x1, -y1, self.1 + x, -y);
        }
        fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
            self.0.cubic_to(self.1 + x1, -y1, self.1 + x2, -y2, self.1 + x, -y);
        }
        fn close(&mut self) {
            self.0.close();
        }
    }
    let face = face();
    let mut outline = Outline(PathBuilder::new(), 0.0);
    for c in text.chars() {
        let glyph = glyph(&face, c);
        face.outline_glyph(glyph, &mut outline);
        outline.1 += face.glyph_hor_advance(glyph).unwrap_or(0) as f32;
    }
    let Outline(path, width) = outline;
    let start = match anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => -0.5 * width,
        Anchor::End => -width,
    };
    let scale = size / face.units_per_em() as f32;
    let transform = Transform::from_translate(start, 0.0).post_scale(scale, scale);
    let transform = if turned { transform.post_rotate(-90.0) } else { transform };
    path.finish()?.transform(transform.post_translate(x, y))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: Colour = [200, 0, 0, 255];

    fn at(pixels: &Pixmap, x: u32, y: u32) -> (u8, u8, u8) {
        let c = pixels.pixel(x, y).unwrap();
        (c.red(), c.green(), c.blue())
    }

    /// Each kind of mark is where it was drawn, in its colour, and the paper stays white elsewhere.
    #[test]
    fn marks_become_pixels() {
        let mut canvas = Canvas::new(60.0, 40.0);
        canvas.area(vec![[1.0, 1.0], [9.0, 1.0], [9.0, 9.0], [1.0, 9.0]], RED);
        canvas.disc([20.0, 5.0], 4.0, RED);
        canvas.line(&[[30.0, 5.0], [50.0, 5.0]], 4.0, [0, 0, 200, 128]);
        canvas.text([5.0, 36.0], 20.0, Anchor::Start, RED, "I");
        let pixels = canvas.pixels(2.0);
        assert_eq!((pixels.width(), pixels.height()), (120, 80));
        assert_eq!((at(&pixels, 10, 10), at(&pixels, 40, 10)), ((200, 0, 0), (200, 0, 0)));
        let (r, _, b) = at(&pixels, 80, 10);
        assert!((126..=129).contains(&r) && (226..=229).contains(&b), "half opaque blue is {r}, {b}");
        let stem = (5.0 + 0.5 * text_width("I", 20.0)) * 2.0;
        assert_eq!((at(&pixels, stem as u32, 60), at(&pixels, 118, 78)), ((200, 0, 0), (255, 255, 255)));
    }

    /// A turned or anchored text covers the box that its measured width promises, and nothing outside of it.
    #[test]
    fn text_stays_in_its_box() {
        let (text, size) = ("Return − 10⁴ & γπστλ", 12.0);
        let width = text_width(text, size);
        for (anchor, turned) in
            [(Anchor::Start, false), (Anchor::Middle, false), (Anchor::End, false), (Anchor::Middle, true)]
        {
            let path = outline(text, [200.0, 100.0], size, anchor, turned).unwrap().bounds();
            let start = match anchor {
                Anchor::Start => 0.0,
                Anchor::Middle => 0.5 * width,
                Anchor::End => width,
            };
            let (first, last) = if turned {
                (100.0 + start - path.bottom(), 100.0 + start - path.top())
            } else {
                (path.left() - 200.0 + start, path.right() - 200.0 + start)
            };
            assert!((0.0..2.0).contains(&first) && (width - 2.0..=width).contains(&last), "{first} {last} of {width}");
        }
    }

    /// Every symbol that our pictures use has a glyph of its own.
    #[test]
    fn the_font_has_our_symbols() {
        let face = face();
        let symbols = " ~–—−×±…γπστλαβμεθΔ→°·²≤≥≈∞‘’äéñøßŁğ Жя";
        let missing: Vec<char> = symbols.chars().filter(|&c| face.glyph_index(c).is_none()).collect();
        assert!(missing.is_empty(), "no glyphs for {missing:?}");
    }

    /// A character that the font lacks is a question mark and not an empty box, one that cannot be seen is a space, and
    /// an SVG holds no character that XML forbids.
    #[test]
    fn no_character_is_a_box() {
        let drawn = |text: &str| outline(text, [0.0, 0.0], 20.0, Anchor::Start, false);
        assert_eq!(drawn("走a\u{1f600}"), drawn("?a?"));
        assert_eq!(text_width("走a\u{1f600}", 20.0), text_width("?a?", 20.0));
        assert_eq!(drawn("a\nb\u{1}c"), drawn("a b c"));
        let mut canvas = Canvas::new(10.0, 10.0);
        canvas.text([1.0, 2.0], 8.0, Anchor::Start, RED, "走\u{1}\u{1b}[0m");
        assert!(canvas.svg().contains(">走  [0m</text>"), "{}", canvas.svg());
    }

    /// A sheet that is put below another one is drawn there, and the paper grows.
    #[test]
    fn sheets_are_stacked() {
        let mut above = Canvas::new(20.0, 10.0);
        let mut below = Canvas::new(30.0, 40.0);
        below.disc([5.0, 5.0], 4.0, RED);
        below.line(&[[1.0, 20.0], [9.0, 20.0]], 2.0, RED);
        above.append(below);
        assert_eq!((above.width, above.height), (30.0, 50.0));
        let pixels = above.pixels(1.0);
        assert_eq!([at(&pixels, 5, 15), at(&pixels, 5, 30)], [(200, 0, 0); 2]);
    }

    /// Text is text in an SVG, with the characters of XML escaped.
    #[test]
    fn svg_keeps_text() {
        let mut canvas = Canvas::new(10.0, 10.0);
        canvas.text([1.0, 2.0], 8.0, Anchor::End, RED, "a<b & c");
        canvas.marks.push(Mark::Line { points: vec![[0.0, 0.0], [1.0, 2.5]], width: 1.5, dash: 4.0, colour: RED });
        let svg = canvas.svg();
        assert!(svg.contains("text-anchor=\"end\" fill=\"#c80000\">a&lt;b &amp; c</text>"), "{svg}");
        assert!(svg.contains("points=\"0.00,0.00 1.00,2.50\"") && svg.contains("stroke-dasharray=\"4\""), "{svg}");
    }
}
