//! Every code that this crate's findings carry, with a title. Codes are stable: one is never given another meaning.
//!
//! `RP01xx` syntax and schema, `RP02xx` expansion, `RP03xx` inheritance, `RP04xx` a node's status file.

macro_rules! codes {
    ($($name:ident = $code:literal, $title:literal;)*) => {
        $(#[doc = $title] pub const $name: &str = $code;)*
        /// Code and title, in order.
        pub const ALL: &[(&str, &str)] = &[$(($code, $title)),*];
    };
}

codes! {
    NOT_UTF8 = "RP0100", "the file is not UTF-8 text";
    SYNTAX = "RP0101", "the text is not YAML";
    TOO_LARGE = "RP0102", "the file is larger than 1 MiB";
    TOO_DEEP = "RP0103", "collections are nested deeper than 64 levels";
    TOO_MANY_NODES = "RP0104", "the file holds, or its aliases expand to, too many nodes";
    NUL = "RP0105", "the text holds a NUL character";
    SEVERAL_DOCUMENTS = "RP0106", "the file holds more than one document";
    TAG = "RP0107", "a YAML tag is used";
    MERGE_KEY = "RP0108", "a YAML merge key is used";
    DUPLICATE_KEY = "RP0109", "a key stands twice in one mapping";
    UNKNOWN_KEY = "RP0110", "a key is not known";
    MISSING_KEY = "RP0111", "a mandatory key is missing";
    WRONG_TYPE = "RP0112", "a value is of the wrong type";
    BAD_VALUE = "RP0113", "a value is outside of what its key takes";
    BAD_WORD = "RP0114", "a word is none of those that its key takes";
    NOT_TAKEN = "RP0115", "a key does not go with the mode of its entry";
    DUPLICATE_ENTRY = "RP0116", "an entry is defined twice in one file";
    NOT_SUPPORTED = "RP0117", "a key, value or mode that this version does not apply yet";
    MORE = "RP0118", "further findings of the file are not shown";
    KEY_IGNORED = "RP0119", "a key of red-pak 2.5 that has no effect";
    COMPLEX_KEY = "RP0120", "a key is not a plain text";
    BAD_COMMAND = "RP0121", "a command (`$(`) is not closed, or has no words";

    UNDEFINED_IN_PATH = "RP0201", "a name in a path is not defined";
    UNDEFINED_IN_TEXT = "RP0202", "a name in a text is not defined, and replaced by nothing";
    EXPANSION_TOO_DEEP = "RP0203", "replacements yield names in turn without end";
    EXPANSION_TOO_LONG = "RP0204", "an expanded text is too long";
    BAD_REFERENCE = "RP0205", "`${` is not followed by a name and `}`";
    COMMAND_IN_REPLACEMENT = "RP0206", "a replacement yields a command";
    NOT_ABSOLUTE = "RP0207", "a path is not absolute once expanded";
    PARENT_STEP = "RP0208", "a path holds `..`";
    BAD_PATH = "RP0209", "a path is empty, too long, or holds a control character";
    MOUNT_AT_ROOT = "RP0210", "an export is mounted at `/`";
    EMPTY_ITEM = "RP0211", "a list of paths has an empty item";
    BAD_HOSTNAME = "RP0212", "a host name is empty, too long, or holds a character that none may hold";
    NOT_JUDGED = "RP0213", "a command decides a value, and was not run";
    BAD_OUTPUT = "RP0214", "what a command printed is no text, too long, or holds NUL";

    NAMESPACE_WIDENED = "RP0301", "a child shares a namespace that its parent does not leave to it";
    CAPABILITY_WIDENED = "RP0302", "a child keeps a capability that its parent does not keep";
    SOURCE_NOT_EXPORTED = "RP0303", "the source of an export is neither the node's own nor exported by an ancestor";
    ACCESS_WIDENED = "RP0304", "an export gives more access than the ancestor's export that it comes from";
    SOURCE_COVERED = "RP0305", "another mount covers the place where the source of an export is seen";
    MOUNT_OVER_INHERITED = "RP0306", "an export is put over something inherited";
    MOUNT_CROSSES_LINK = "RP0307", "the mount path of an export leads through a symbolic link or a file";
    MOUNT_HIDES_INHERITED = "RP0308", "an export hides inherited mounts below it";
    OVERLAY_KIND = "RP0309", "an overlay is laid over something that is no directory";
    SETTING_STAYS = "RP0310", "a child takes back a setting that stays once it is set";
    ROOT_ONLY = "RP0311", "a key stands in a node that is not the root node";
    DIRECTORY_OUTSIDE = "RP0312", "a directory of a node does not lie below the node's own directory";
    OVERRIDDEN = "RP0313", "an entry is overridden that asks for a warning then";
    ALIAS_DIFFERS = "RP0314", "the two files of a node name it differently";
    BAD_FAMILY = "RP0315", "the nodes handed over are not a family";
    LAYER_WITH_MOUNTS = "RP0316", "the directory of an overlay has inherited mounts below it";
    TOO_MANY_MOUNTS = "RP0317", "a tree has too many mounts";
    NARROWED = "RP0318", "a limit or filter is wider than an ancestor's, which holds";
    SETTING_FIXED = "RP0319", "a child changes a setting that an ancestor has set for good";
    DEVICE_NOT_EXPORTED = "RP0320", "the device of an export is exported as a device by no ancestor";
    MOUNTS_UNDONE = "RP0321", "a capability is kept with which every mount can be undone";

    STATUS_NEWER = "RP0401", "the status file was written by a newer redpak";
    STATUS_WITHOUT_PARENT = "RP0402", "the status file does not record the node's parent";
    STATUS_NOT_ENABLED = "RP0403", "the state is one of red-pak 2.5 that does not enable the node";
}

/// The title of a code of this crate.
pub fn title(code: &str) -> Option<&'static str> {
    ALL.iter().find(|(known, _)| *known == code).map(|(_, title)| *title)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_ascend_and_look_alike() {
        for pair in ALL.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{pair:?}");
        }
        for (code, title) in ALL {
            assert!(code.len() == 6 && code.starts_with("RP") && code[2..].parse::<u16>().is_ok(), "{code}");
            assert!(!title.is_empty() && !title.ends_with('.'), "{code}");
        }
        assert_eq!(title(NUL), Some("the text holds a NUL character"));
        assert_eq!(title("RP9999"), None);
    }
}
