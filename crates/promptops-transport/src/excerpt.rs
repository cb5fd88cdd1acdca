/// Most characters of an excerpt.
const MOST: usize = 200;

/// The beginning of a body for an error message: on one line, without control characters, at most
/// 200 characters.
pub fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(MOST * 4)]);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control()).take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::excerpt;

    #[test]
    fn it_is_one_short_line_whatever_the_bytes_are() {
        assert_eq!(excerpt(b"<html>\n  <b>\x1b[31mLogin</b>"), "<html> <b>[31mLogin</b>");
        assert_eq!(excerpt(&[0xff, 0xfe]), "\u{fffd}\u{fffd}");
        assert_eq!(excerpt("ä".repeat(10_000).as_bytes()).chars().count(), 200);
        assert_eq!(excerpt(b""), "");
    }
}
