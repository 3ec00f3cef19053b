//! Capabilities.

use redpak_model::capability::NAMES;
use redpak_model::effective::Effective;
use redpak_model::schema::nearest;

use super::{Answer, Inquiry};

/// `Err` when there is no such capability.
pub fn answer(inquiry: &Inquiry, asked: &str) -> Result<Answer, String> {
    let upper = asked.to_ascii_uppercase();
    let name = if upper.starts_with("CAP_") { upper } else { format!("CAP_{upper}") };
    if name == "CAP_ALL" {
        return Err("ask for one capability; `redconf mergeconfig` lists all that are kept".to_owned());
    }
    if !NAMES.contains(&name.as_str()) {
        let near = nearest(&name, NAMES.iter().copied());
        let near = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
        return Err(format!("there is no capability `{asked}`{near}"));
    }
    let leaf = inquiry.leaf_alias().to_owned();
    let stated = |effective: &Effective| {
        let (_, set) = effective.settings.capabilities.iter().find(|(known, _)| *known == name)?;
        Some((if set.value { "keeps it" } else { "drops it" }.to_owned(), set.origin.clone()))
    };
    let set = inquiry.leaf.settings.capabilities.iter().find(|(known, _)| *known == name);
    let kept = set.is_some_and(|(_, set)| set.value);
    let sentence = match set {
        Some((_, set)) if set.value => {
            format!("{name} is kept in {leaf}: {} says so", inquiry.alias(set.origin.node))
        }
        Some((_, set)) => format!("{name} is dropped in {leaf}: {} says so", inquiry.alias(set.origin.node)),
        None => {
            format!("{name} is dropped in {leaf}: no file of the family names it, and that is the default")
        }
    };
    let mut answer = Answer::new("cap", &name, kept, sentence);
    for origin in set.iter().flat_map(|(_, set)| &set.overrode) {
        let text = format!("what {} says", inquiry.alias(origin.node));
        answer.fact("overrode", text, Some(&origin.place));
    }
    answer.family = inquiry.family(stated, |inherited| match inherited {
        Some(says) => format!("says nothing: it {says} as its parent does"),
        None => "says nothing: dropped".to_owned(),
    });
    if !kept {
        answer.hint = Some(match set {
            Some((_, set)) => format!(
                "the line that drops it would have to go, {}, and every node above would have to keep it",
                set.origin.place
            ),
            None => format!(
                "the root node would have to keep it: `- {{cap: {name}, add: 1}}` below `config: capabilities:` in {}",
                inquiry.root_file()
            ),
        });
    }
    Ok(answer)
}
