//! Tables for people: columns as wide as their widest cell.

use crate::intake::report::plain;

/// Rows under their headings, without a line end behind the last.
pub fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let headings = headings.iter().map(|heading| (*heading).to_owned()).collect();
    // Names and messages are not ours: they reach a terminal on one line, without its control codes.
    let clean = |row: &Vec<String>| row.iter().map(|cell| plain(&cell.replace('\n', " "))).collect::<Vec<String>>();
    let lines: Vec<Vec<String>> = std::iter::once(&headings).chain(rows).map(clean).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let line = |cells: &Vec<String>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["é".to_owned(), "b\u{1b}[2J\nc".to_owned()], vec!["long".to_owned(), String::new()]];
        assert_eq!(super::table(&["a", "b"], &rows), "a     b\né     b\u{fffd}[2J c\nlong");
    }
}
