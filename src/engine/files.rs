//! Which files a database is to read, where the rows of a window can be in some of them only.

use std::collections::BTreeSet;

/// Of all files below a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    All,
    /// Those that this pattern names, `FOLDER/{NAME,NAME,…}`, each name a file or a folder that is chosen as a whole.
    These(String),
    Nothing,
}

/// Chooses the files that `may_hold` says yes to. All of them where their paths cannot be told apart in a pattern.
pub fn choose(root: &str, files: &[String], may_hold: &dyn Fn(&str) -> bool) -> Choice {
    let (chosen, others): (Vec<&str>, Vec<&str>) = files.iter().map(String::as_str).partition(|path| may_hold(path));
    if others.is_empty() {
        return Choice::All;
    }
    if chosen.is_empty() {
        return Choice::Nothing;
    }
    let Some(chosen) = names(root, &chosen) else { return Choice::All };
    let Some(others) = names(root, &others) else { return Choice::All };
    let torn: BTreeSet<&str> = others.into_iter().flat_map(folders).collect();
    // The largest folder of a file in the place of all of its files, where none of them is left out: each file is named once.
    let named: BTreeSet<&str> =
        chosen.into_iter().map(|name| folders(name).find(|folder| !torn.contains(folder)).unwrap_or(name)).collect();
    Choice::These(format!("{root}{{{}}}", named.into_iter().collect::<Vec<_>>().join(",")))
}

/// Paths without the folder that they are in; `None` where a pattern would mean something else.
fn names<'a>(root: &str, paths: &[&'a str]) -> Option<Vec<&'a str>> {
    let name = |path: &&'a str| path.strip_prefix(root).filter(|name| !name.is_empty() && !name.contains(MEANT_OTHERWISE));
    paths.iter().map(name).collect()
}

/// The folders that a file is in, from the largest down.
fn folders(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').map(|(end, _)| &name[..end])
}

/// What a pattern would take for something else, an encoded symbol among it.
const MEANT_OTHERWISE: [char; 9] = ['{', '}', '[', ']', '*', '?', ',', '\\', '%'];

#[cfg(test)]
mod tests {
    use super::*;

    fn choose_of(files: &[&str], words: &str) -> Choice {
        let files: Vec<String> = files.iter().map(|name| format!("gs://b/logs/{name}")).collect();
        choose("gs://b/logs/", &files, &|path| path.contains(words))
    }

    #[test]
    fn folders_stand_for_their_files_where_all_of_them_are_chosen() {
        let files = ["29/a", "30/a", "30/b", "31/a", "31/old", "new"];
        assert_eq!(choose_of(&files, "30/"), Choice::These("gs://b/logs/{30}".to_owned()));
        assert_eq!(choose_of(&files, "/a"), Choice::These("gs://b/logs/{29,30/a,31/a}".to_owned()));
        assert_eq!(choose_of(&files, "new"), Choice::These("gs://b/logs/{new}".to_owned()));
        // Of a folder whose name only begins with the same letters, nothing is asked.
        assert_eq!(choose_of(&["3/a", "30/b"], "3/a"), Choice::These("gs://b/logs/{3}".to_owned()));
        assert_eq!(choose_of(&["3/a", "3/x/b"], "3/a"), Choice::These("gs://b/logs/{3/a}".to_owned()));
        // A folder in a folder that is chosen is not named again.
        assert_eq!(choose_of(&["1/a", "1/2/a", "2/b", "1/a2"], "/a"), Choice::These("gs://b/logs/{1}".to_owned()));
        assert_eq!(choose_of(&["1/a", "1/2/a", "1/3/b", "1/2/a2"], "/a"), Choice::These("gs://b/logs/{1/2,1/a}".to_owned()));
    }

    #[test]
    fn all_or_none_need_no_pattern() {
        assert_eq!(choose_of(&["29/a", "30/a"], "/a"), Choice::All);
        assert_eq!(choose_of(&["29/a", "30/a"], "31"), Choice::Nothing);
        assert_eq!(choose_of(&[], "31"), Choice::All);
    }

    #[test]
    fn what_a_pattern_cannot_say_is_read_as_a_whole() {
        for name in ["31/a,b", "31/a%20b", "31/{a}", "31/[a]", "3*/a?", "31\\a"] {
            assert_eq!(choose_of(&["30/a", name], "3"), Choice::All, "{name}");
            assert_eq!(choose_of(&["29/a", name], "logs/3"), Choice::All, "{name}");
        }
        let elsewhere = ["file:/logs/30/a".to_owned(), "file:/logs/31/a".to_owned()];
        assert_eq!(choose("file:///logs/", &elsewhere, &|path| path.contains("31")), Choice::All);
    }
}
