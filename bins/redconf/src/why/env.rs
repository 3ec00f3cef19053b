//! Variables of the environment.

use redpak_model::effective::{Effective, Origin, Sourced, Variable, VariableAction};

use super::{Answer, Inquiry};

/// Variables that a key of `config` makes.
const LISTS: [(&str, &str); 2] = [("PATH", "path"), ("LD_LIBRARY_PATH", "ldpath")];
/// Variables that always have a value (SPEC section 3).
const ALWAYS: [&str; 5] = ["TERM", "HOME", "USER", "PATH", "LANG"];

/// `Err` when no variable can have that name.
pub fn answer(inquiry: &Inquiry, key: &str) -> Result<Answer, String> {
    if key.is_empty() || key.contains(|c: char| c == '=' || c.is_whitespace() || c.is_control()) {
        return Err(format!("`{key}` is not the name of a variable"));
    }
    Ok(of(inquiry, key))
}

fn of(inquiry: &Inquiry, key: &str) -> Answer {
    let leaf = inquiry.leaf_alias();
    let mut answer = if let Some(variable) = stated(inquiry.leaf, key) {
        of_entry(inquiry, key, variable)
    } else if let Some((list, items)) = list(inquiry.leaf, key) {
        let joined: Vec<&str> = items.iter().map(|item| item.value.as_str()).collect();
        let sentence = format!("{key} is set in {leaf}, by `{list}`: {}", joined.join(":"));
        let mut answer = Answer::new("env", key, true, sentence);
        for item in items {
            let text = format!("{} of {}", item.value, inquiry.alias(item.origin.node));
            answer.fact("item", text, Some(&item.origin.place));
        }
        answer
    } else if let Some(all) = inquiry.leaf.settings.inherit_env.as_ref().filter(|all| all.value) {
        let sentence =
            format!("{key} is in {leaf} what it is for the caller: the whole environment is passed on");
        let mut answer = Answer::new("env", key, true, sentence);
        answer.fact("granted by", inquiry.alias(all.origin.node), Some(&all.origin.place));
        caller(inquiry, key, &mut answer);
        answer
    } else if ALWAYS.contains(&key) {
        let sentence =
            format!("{key} is set in {leaf}: nobody sets it, and it always has a sane value (default)");
        Answer::new("env", key, true, sentence)
    } else {
        let sentence = format!(
            "{key} is not set in {leaf}: no file of the family names it, and nothing else is passed on (default)"
        );
        let mut answer = Answer::new("env", key, false, sentence);
        answer.hint = Some(format!(
            "any node of the family may set it, `- {{key: {key}, mode: Inherit}}` below `environ:` in {} for one",
            inquiry.leaf.nodes.last().map_or_else(String::new, |node| {
                node.redpath.join("etc/redpak.yaml").display().to_string()
            })
        ));
        answer
    };
    answer.family = inquiry.family(
        |level| {
            let entry = stated(level, key).map(|entry| (says(&entry.value), entry.origin.clone()));
            entry.or_else(|| from_list(level, key))
        },
        |inherited| match inherited {
            Some(_) => "says nothing: as its parent".to_owned(),
            None => "says nothing".to_owned(),
        },
    );
    answer
}

fn stated<'e>(effective: &'e Effective, key: &str) -> Option<&'e Sourced<Variable>> {
    effective.environ.iter().find(|variable| variable.value.key == key)
}

fn list<'e>(effective: &'e Effective, key: &str) -> Option<(&'static str, &'e [Sourced<String>])> {
    let (_, list) = LISTS.into_iter().find(|(variable, _)| *variable == key)?;
    let items = if list == "path" { &effective.settings.path } else { &effective.settings.ldpath };
    (!items.is_empty()).then_some((list, items.as_slice()))
}

/// The items that a node adds itself stand first.
fn from_list(effective: &Effective, key: &str) -> Option<(String, Origin)> {
    let (list, items) = list(effective, key)?;
    let own = effective.nodes.len() - 1;
    let item = items.iter().find(|item| item.origin.node == own).or(items.first())?;
    Some((format!("adds to `{list}`"), item.origin.clone()))
}

fn says(variable: &Variable) -> String {
    match &variable.action {
        VariableAction::Set(value) => format!("sets it to `{value}`"),
        VariableAction::Command(command) => {
            format!("sets it to the output of `{command}`, which is not run here")
        }
        VariableAction::Inherit => "passes the caller's on".to_owned(),
        VariableAction::Remove => "removes it".to_owned(),
    }
}

fn of_entry(inquiry: &Inquiry, key: &str, variable: &Sourced<Variable>) -> Answer {
    let leaf = inquiry.leaf_alias();
    let by = inquiry.alias(variable.origin.node);
    let granted = variable.value.action != VariableAction::Remove;
    let verb = if granted { "is set" } else { "is not set" };
    let sentence = format!("{key} {verb} in {leaf}: {by} {}", says(&variable.value));
    let mut answer = Answer::new("env", key, granted, sentence);
    if variable.value.action == VariableAction::Inherit {
        caller(inquiry, key, &mut answer);
    }
    for origin in &variable.overrode {
        let text = format!("what {} says", inquiry.alias(origin.node));
        answer.fact("overrode", text, Some(&origin.place));
    }
    if !granted {
        answer.hint = Some(format!("the line that removes it would have to go: {}", variable.origin.place));
    }
    answer
}

fn caller(inquiry: &Inquiry, key: &str, answer: &mut Answer) {
    let text = match inquiry.names.env.get(key) {
        Some(value) => format!("`{value}`, were you to launch it now"),
        None => "you have none: it would not be set now".to_owned(),
    };
    answer.fact("value", text, None);
}
