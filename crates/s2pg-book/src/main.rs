//! Writes the formulas of the book as MathML, so that a browser shows them without a script and without a network.
//!
//! mdBook runs this as a preprocessor: it hands over the book as JSON and takes it back. A formula stands between `$`
//! in a line, or between lines of `$$`, as code hosts show it too; what they would show wrongly is refused.

use std::io;
use std::process::ExitCode;

use math_core::{LatexToMathML, MathCoreConfig, MathDisplay};
use serde_json::Value;

fn main() -> ExitCode {
    // mdBook asks first whether a renderer is supported. MathML suits the only one that the book has.
    if std::env::args().nth(1).is_some_and(|argument| argument == "supports") {
        return ExitCode::SUCCESS;
    }
    match convert_book() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// Reads `[context, book]` from standard input and writes the book to standard output.
fn convert_book() -> Result<(), String> {
    let input: Value = serde_json::from_reader(io::stdin()).map_err(|e| format!("mdBook's JSON: {e}"))?;
    let mut book = input.get(1).cloned().ok_or("mdBook's JSON has no book in it")?;
    convert_chapters(&mut book)?;
    serde_json::to_writer(io::stdout(), &book).map_err(|e| format!("standard output: {e}"))
}

/// Converts the text of every chapter inside a value. A chapter is an object with `content` and `path`.
fn convert_chapters(value: &mut Value) -> Result<(), String> {
    match value {
        Value::Array(items) => items.iter_mut().try_for_each(convert_chapters),
        Value::Object(fields) => {
            let page = fields.get("path").and_then(Value::as_str).unwrap_or("a page without a file").to_string();
            if let Some(Value::String(content)) = fields.get_mut("content") {
                *content = with_mathml(content).map_err(|e| format!("{page}: {e}"))?;
            }
            fields.values_mut().try_for_each(convert_chapters)
        }
        _ => Ok(()),
    }
}

/// A page with its formulas as MathML. Code, in a line or in a block, stays as it is.
fn with_mathml(page: &str) -> Result<String, String> {
    let converter = LatexToMathML::new(MathCoreConfig::default()).map_err(|e| e.0.to_string())?;
    let mut out = String::new();
    let mut rest = page;
    while let Some(at) = rest.find(['`', '$', '\\']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let mark = rest.chars().next().expect("it was found");
        let delimiter = &rest[..rest.len() - rest.trim_start_matches(mark).len()];
        let inside = &rest[delimiter.len()..];
        let end = match mark {
            '\\' => {
                let end = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
                out.push_str(&rest[..end]);
                end
            }
            '`' => {
                // Code ends at the next marks that are as many.
                let end = delimiter.len() + end_of_code(inside, delimiter.len()).unwrap_or(0);
                out.push_str(&rest[..end]);
                end
            }
            _ => {
                let paragraph = inside.split("\n\n").next().unwrap_or(inside);
                let length =
                    paragraph.find(delimiter).ok_or(format!("no `{delimiter}` ends the formula: {paragraph}"))?;
                let formula = &paragraph[..length];
                out.push_str(
                    &mathml(&converter, formula, delimiter).map_err(|e| format!("`{}`: {e}", formula.trim()))?,
                );
                length + 2 * delimiter.len()
            }
        };
        rest = &rest[end..];
    }
    out.push_str(rest);
    Ok(out)
}

/// Where code ends that began with a number of backticks, those at its end included.
fn end_of_code(inside: &str, ticks: usize) -> Option<usize> {
    let mut at = 0;
    loop {
        at += inside[at..].find('`')?;
        let run = inside[at..].len() - inside[at..].trim_start_matches('`').len();
        at += run;
        if run == ticks {
            return Some(at);
        }
    }
}

/// One formula; the error says what is wrong with it.
fn mathml(converter: &LatexToMathML, formula: &str, delimiter: &str) -> Result<String, String> {
    let escapes = formula.split('\\').skip(1).filter_map(|rest| rest.chars().next());
    if let Some(c) = escapes.into_iter().find(char::is_ascii_punctuation) {
        return Err(format!("Markdown takes the backslash from `\\{c}`; use a command with letters"));
    }
    let convert = |display| {
        let converted = converter.convert_with_local_state(formula.trim(), display);
        converted.map(|result| result.mathml).map_err(|e| e.to_string())
    };
    if delimiter == "$$" {
        if !(formula.starts_with('\n') && formula.ends_with('\n')) {
            return Err("`$$` stands on lines of its own".into());
        }
        // A block of HTML ends with an empty line.
        return Ok(format!("<div class=\"formula\">{}</div>\n", convert(MathDisplay::Block)?));
    }
    if formula.trim() != formula || formula.is_empty() {
        return Err("a code host shows no formula with a space inside its `$`".into());
    }
    if formula.contains('|') {
        return Err("`|` ends the column of a table; use \\lvert and \\rvert".into());
    }
    // Markdown reads what stands between the tags.
    let html = convert(MathDisplay::Inline)?;
    Ok(html.chars().map(|c| if "*_|~[]\\`".contains(c) { format!("&#{};", c as u32) } else { c.to_string() }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    /// Every formula of every page can be converted, and none of them is left over.
    #[test]
    fn the_book_converts() {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book/src");
        let mut formulas = 0;
        for entry in fs::read_dir(src).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let page = fs::read_to_string(&path).unwrap();
                let html = with_mathml(&page).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                formulas += html.matches("<math").count();
            }
        }
        assert!(formulas > 100, "{formulas}");
    }

    /// Formulas in a line and on lines of their own become MathML, which Markdown does not change; code stays as it is.
    #[test]
    fn formulas_and_code_are_told_apart() {
        let page = "In `$a$`, ``$`$``, \\$ and $a * b$:\n\n```sh\nfor a in $b; do\n```\n\n$$\nx_1\n$$\nEnd.";
        let html = with_mathml(page).unwrap();
        assert!(html.starts_with("In `$a$`, ``$`$``, \\$ and <math><mi>a</mi>"), "{html}");
        assert!(
            html.contains(":\n\n```sh\nfor a in $b; do\n```\n\n<div class=\"formula\"><math display=\"block\""),
            "{html}"
        );
        assert!(html.ends_with("</math></div>\n\nEnd."), "{html}");
        assert!(!html.contains('*'), "{html}");
    }

    /// A chapter inside a chapter is converted, and an error names its page and the formula.
    #[test]
    fn an_error_names_page_and_formula() {
        let book = |formula: &str| {
            let inner = serde_json::json!({ "Chapter": { "path": "inner.md", "content": formula, "sub_items": [] } });
            serde_json::json!({ "items": [{ "Chapter": { "path": "a.md", "content": "", "sub_items": [inner] } }] })
        };
        let mut good = book("$z$");
        convert_chapters(&mut good).unwrap();
        assert!(good.to_string().contains("<mi>z</mi>"));
        for formula in ["$\\nonsense z$", "$z", "$z\n\nz$", "$ z$", "$z\\,z$", "$|z|$", "$$z$$"] {
            let error = convert_chapters(&mut book(formula)).unwrap_err();
            assert!(error.starts_with("inner.md: ") && error.contains('z'), "{error}");
        }
    }
}
