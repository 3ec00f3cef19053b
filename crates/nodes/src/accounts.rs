//! Names of the running user and group, from passwd(5) and group(5) themselves: the name service does not work in a
//! static program.

use std::path::Path;

/// Name of a user in `/etc/passwd`, or its number.
pub fn user(uid: u32) -> String {
    name(Path::new("/etc/passwd"), uid)
}

/// Name of a group in `/etc/group`, or its number.
pub fn group(gid: u32) -> String {
    name(Path::new("/etc/group"), gid)
}

fn name(file: &Path, id: u32) -> String {
    let text = std::fs::read(file).unwrap_or_default();
    find(&String::from_utf8_lossy(&text), id).unwrap_or_else(|| id.to_string())
}

/// The first name whose third field is `id`.
fn find(text: &str, id: u32) -> Option<String> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn the_third_field_decides() {
        let text = "root:x:0:0:root:/root:/bin/sh\nbroken\nann:x:1000:100::/:\nben:x:1000:100::/:\n";
        assert_eq!(find(text, 0).as_deref(), Some("root"));
        assert_eq!(find(text, 1000).as_deref(), Some("ann"));
        assert_eq!(find(text, 100), None);
    }
}
