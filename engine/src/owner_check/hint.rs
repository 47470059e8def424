//! The comment of an ALTER that is addressed to alterego: `/*alterego check="SELECT …" check="…" */`.

/// The checks in a comment, of which the word `alterego` is cut off.
pub(super) fn checks(hint: &str) -> Result<Vec<String>, String> {
    let mut checks = Vec::new();
    let mut rest = hint.trim();
    while !rest.is_empty() {
        let (check, behind) = first(rest).ok_or_else(|| {
            format!("the comment for alterego is not understood at `{rest}`: it should be check=\"SELECT …\"")
        })?;
        checks.push(check.to_owned());
        rest = behind.trim_start();
    }
    Ok(checks)
}

/// The first `check="…"`, and what stands behind it. A check has no double quotes, so it ends at the next one.
fn first(text: &str) -> Option<(&str, &str)> {
    let value = text.strip_prefix("check")?.trim_start().strip_prefix('=')?;
    value.trim_start().strip_prefix('"')?.split_once('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_is_found() {
        let check = |hint: &str, expected: Result<&[&str], ()>| {
            let found = checks(hint).map_err(drop);
            let expected = expected.map(|texts| texts.iter().map(|text| (*text).to_owned()).collect());
            assert_eq!(found, expected, "{hint}");
        };
        check(" ", Ok(&[]));
        check(" check=\"a\" ", Ok(&["a"]));
        check(" check = \"a 'b'\"\n check=\"c\"", Ok(&["a 'b'", "c"]));
        for wrong in [
            "check",
            "check=a",
            "check=\"a",
            "chek=\"a\"",
            "check=\"a\" b",
            "\"a\"",
        ] {
            check(wrong, Err(()));
        }
    }
}
