//! Bodies of another size, made from the text of a model.

/// The text of `xml`, a body of size 1, for a body of size `scale`.
///
/// Positions of bodies, and places and sizes of shapes, grow as the size, masses as its third power, inertias as its
/// fifth, and the gears of the motors as its power `torque`. Centres of mass, ranges, damping, stiffness and armature
/// stay, as in the published models. The head stays as large as it is, and moves down by half of what is missing.
pub(super) fn scaled(xml: &str, scale: f64, torque: i32) -> String {
    let mut text = String::new();
    for element in xml.split_inclusive('>') {
        let kept = element.contains("name=\"floor\"") || element.contains("name=\"head\"");
        let powers: &[(&str, i32)] = match element.trim_start().split([' ', '/', '>']).next() {
            Some("<body") => &[("pos", 1)],
            Some("<inertial") => &[("mass", 3), ("fullinertia", 5)],
            Some("<geom") if !kept => &[("size", 1), ("pos", 1), ("fromto", 1)],
            Some("<motor") => &[("gear", torque)],
            _ => &[],
        };
        let mut element = element.to_string();
        for &(attribute, power) in powers {
            change(&mut element, attribute, |_, x| x * scale.powi(power));
        }
        if element.contains("name=\"head\"") {
            change(&mut element, "pos", |axis, x| if axis == 1 { x - 0.5 * (1.0 - scale) } else { x });
        }
        text += &element;
    }
    text
}

/// The text of `xml` with another mass of the shape called `name`.
pub(super) fn weighted(xml: &str, name: &str, mass: f64) -> String {
    let mut text = String::new();
    for element in xml.split_inclusive('>') {
        let mut element = element.to_string();
        if element.contains(&format!("name=\"{name}\"")) {
            change(&mut element, "mass", |_, _| mass);
        }
        text += &element;
    }
    text
}

/// Puts `f` of its place and of itself in place of each number of an attribute, where the element has the attribute.
fn change(element: &mut String, attribute: &str, f: impl Fn(usize, f64) -> f64) {
    let key = format!(" {attribute}=\"");
    let Some(start) = element.find(&key).map(|at| at + key.len()) else { return };
    let end = start + element[start..].find('"').expect("an attribute is closed");
    let number = |(i, word): (usize, &str)| {
        let x: f64 = word.parse().expect("an attribute of a model is numbers");
        format!("{:?}", f(i, x))
    };
    let numbers: Vec<_> = element[start..end].split_whitespace().enumerate().map(number).collect();
    element.replace_range(start..end, &numbers.join(" "));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a text only the numbers that grow are changed, and a size of 1 gives numbers that are equal.
    #[test]
    fn a_text_is_scaled() {
        let xml = r#"<a><body name="b" pos="1 2 -3" quat="1 0 0 0"><inertial pos="1 0 0" mass="2" fullinertia="1 2 3 0 0 0"/>
            <geom name="g" size="0.5 1"/><geom name="head" size="0.1" pos="0 0.5 0"/><motor joint="j" gear="100"/></body></a>"#;
        let half = scaled(xml, 0.5, 2);
        let expected = r#"<a><body name="b" pos="0.5 1.0 -1.5" quat="1 0 0 0"><inertial pos="1 0 0" mass="0.25" fullinertia="0.03125 0.0625 0.09375 0.0 0.0 0.0"/>
            <geom name="g" size="0.25 0.5"/><geom name="head" size="0.1" pos="0.0 0.25 0.0"/><motor joint="j" gear="25.0"/></body></a>"#;
        assert_eq!(half, expected);
        assert!(scaled(xml, 0.5, 3).contains("gear=\"12.5\""));
        assert!(weighted(r#"<geom name="weight" mass="10"/>"#, "weight", 0.1).contains("mass=\"0.1\""));
    }
}
