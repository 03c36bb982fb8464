//! What a store answers, and what of that is wrong.

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::made::{SERIES, VERSIONS, key, put, series};
use crate::store::laws::put_and_wait;
use crate::store::{EmbeddedStore, Store, VersionSelector};

/// What a store says, by question.
pub(super) type Answers = BTreeMap<String, String>;

pub(super) fn ask(store: &EmbeddedStore) -> Answers {
    let mut answers = Answers::new();
    let mut note = |question: String, answer: &dyn Debug| {
        answers.insert(question, format!("{answer:?}"));
    };
    for of in 0..SERIES {
        let name = series(of);
        let latest = store.version(&name, VersionSelector::Latest);
        note(format!("{name} latest"), &latest);
        for version in 1..=VERSIONS + 1 {
            let stored = store.version(&name, VersionSelector::Exactly(version));
            note(format!("{name} version {version}"), &stored);
            note(
                format!("{name} training {version}"),
                &store.training(&name, version),
            );
            let kept = store.answered(&name, key(of, version));
            // When it was given is the one thing that two stores of a test have not in common.
            note(
                format!("{name} answer {version}"),
                &kept.map(|kept| kept.map(|kept| kept.version)),
            );
        }
        note(format!("{name} aliases"), &store.aliases(&name));
        note(format!("{name} alias live"), &store.alias(&name, "live"));
        note(format!("{name} alias none"), &store.alias(&name, "none"));
        note(format!("{name} state"), &store.state(&name));
    }
    note(
        "nobody".into(),
        &store.version("nobody", VersionSelector::Latest),
    );
    answers
}

/// Answers that are neither what they were nor an error.
pub(super) fn wrong(expected: &Answers, found: &Answers) -> Vec<String> {
    let changed = found
        .iter()
        .filter(|(question, answer)| expected[*question] != **answer && !answer.starts_with("Err"));
    changed
        .map(|(question, answer)| format!("{question}: {answer:.200}"))
        .collect()
}

/// A number that is given to a further version and is not the next one.
pub(super) fn wrongly_numbered(store: &EmbeddedStore) -> Vec<String> {
    let given = (0..SERIES).map(|of| (of, put_and_wait(store, put(of, VERSIONS + 1))));
    let wrong = given.filter(|(_, given)| given.as_ref().is_ok_and(|given| *given != VERSIONS + 1));
    wrong
        .map(|(of, given)| format!("{}: {given:?}", series(of)))
        .collect()
}

#[test]
fn another_answer_is_noticed() {
    let expected = Answers::from([("q".to_owned(), "Ok(Version(3))".to_owned())]);
    let found = |answer: &str| Answers::from([("q".to_owned(), answer.to_owned())]);
    assert_eq!(wrong(&expected, &found("Ok(Version(3))")), [""; 0]);
    assert_eq!(wrong(&expected, &found("Err(Damaged)")), [""; 0]);
    assert_eq!(wrong(&expected, &found("Ok(Version(2))")).len(), 1);
    assert_eq!(wrong(&expected, &found("Ok(NoSuchSeries)")).len(), 1);
}
