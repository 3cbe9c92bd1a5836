use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::workspace::memory::MemoryFiles;
use crate::workspace::snapshot::Snapshot;
use crate::workspace::{ChangeLine, ProjectFiles as _};

fn found(words: &Words, parts: &[Part]) -> Vec<String> {
    words.having_all(parts).into_iter().map(|(path, _)| path.to_string()).collect()
}

fn contains(text: &str, plain: &str) -> bool {
    text.to_ascii_lowercase().contains(&plain.to_ascii_lowercase())
}

#[derive(Debug, Clone)]
enum Edit {
    Write(u8, String),
    Delete(u8),
}

fn edit() -> impl Strategy<Value = Edit> {
    let text = "(alpha|Beta|gamma_1|x|Ä|ß|İ|-| |\n|\\.){0,12}";
    prop_oneof![
        3 => (0..12_u8, text).prop_map(|(n, text)| Edit::Write(n, text)),
        1 => (0..12_u8).prop_map(Edit::Delete),
    ]
}

proptest! {
    #[test]
    fn no_text_that_has_it_is_missed_whatever_changes(
        rounds in prop::collection::vec(prop::collection::vec(edit(), 0..8), 1..6),
        plain in "(alpha|BETA|gamma_1|amma|x|-| |\\.|lph|eta){1,4}",
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let files = Arc::new(MemoryFiles::new(BTreeMap::new()));
        let snapshot = Snapshot::new(Arc::clone(&files) as _);
        let shelf = Shelf::default();
        for edits in rounds {
            for edit in edits {
                let path = |n| format!("file{n}.ts");
                let line = ChangeLine::default();
                let done = runtime.block_on(async {
                    match edit {
                        Edit::Write(n, text) => snapshot.write(&path(n), &text, &line).await.map(drop),
                        Edit::Delete(n) => snapshot.delete(&path(n), &line).await.map(drop),
                    }
                });
                // What is not there cannot be deleted.
                drop(done);
            }
            let project = runtime.block_on(snapshot.current()).unwrap();
            let words = shelf.words(&project, &mut || false).unwrap();
            let parts = Part::all_of(&plain);
            let candidates = found(&words, &parts);
            for (path, _, text) in project.texts() {
                let is_there = contains(text, &plain);
                prop_assert!(!is_there || candidates.contains(&path.to_string()), "{path}: {text:?}");
            }
            for part in &parts {
                let mut places = vec![false; words.texts().len()];
                words.having(part, |at| places[at] = true);
                for ((_, text), is_found) in words.texts().iter().zip(places) {
                    let mut has_it = false;
                    for_each_word(text, |word| {
                        has_it |= part.0.find(format!("\n{word}\n").as_bytes()).is_some();
                    });
                    prop_assert_eq!(is_found, has_it, "{:?} {:?}", text, part);
                }
            }
        }
    }
}

#[test]
fn a_plain_text_says_which_words_and_parts_of_words_it_takes() {
    let parts = |plain| -> Vec<String> {
        let parts = Part::all_of(plain).into_iter();
        parts.map(|part| String::from_utf8(part.0.needle().to_vec()).unwrap()).collect()
    };
    assert_eq!(parts("Marker-5000-e"), ["marker\n", "\n5000\n"], "too short parts say nothing");
    assert_eq!(parts("one one ones onet"), ["\nones\n", "\none\n", "\nonet", "one\n"]);
    assert_eq!(parts("total"), ["total"]);
    assert_eq!(parts("(total"), ["\ntotal"]);
    assert_eq!(parts("a b"), [""; 0]);
    assert_eq!(parts("größer"), [""; 0]);
}

#[tokio::test]
async fn after_many_changes_all_is_read_anew() {
    let texts = (0..100).map(|n| (format!("{n:03}.ts"), format!("word{n}")));
    let files = Arc::new(MemoryFiles::new(texts.collect()));
    let snapshot = Snapshot::new(Arc::clone(&files) as _);
    let shelf = Shelf::default();
    let first = shelf.words(&snapshot.current().await.unwrap(), &mut || false).unwrap();
    for n in 0..MAX_FRESH {
        snapshot.write(&format!("{n:03}.ts"), "other", &ChangeLine::default()).await.unwrap();
    }
    let words = shelf.words(&snapshot.current().await.unwrap(), &mut || false).unwrap();
    assert!(Arc::ptr_eq(&first.base, &words.base));
    assert_eq!(found(&words, &Part::all_of("other")).len(), MAX_FRESH);
    snapshot.write("099.ts", "other", &ChangeLine::default()).await.unwrap();
    let words = shelf.words(&snapshot.current().await.unwrap(), &mut || false).unwrap();
    assert!(!Arc::ptr_eq(&first.base, &words.base) && words.fresh.is_empty());
    assert_eq!(found(&words, &Part::all_of("other")).len(), MAX_FRESH + 1);
    assert_eq!(found(&words, &Part::all_of("word99")), [""; 0]);
}

#[tokio::test]
async fn what_there_is_no_room_for_is_read_at_each_look() {
    let texts = (0..10).map(|n| (format!("{n}.ts"), format!("Word{n} shared other{n}")));
    let files = Arc::new(MemoryFiles::new(texts.collect()));
    let snapshot = Snapshot::new(Arc::clone(&files) as _);
    let project = snapshot.current().await.unwrap();
    for max in [Size { words: 5, ..MAX }, Size { bytes: 30, ..MAX }, Size { pairs: 6, ..MAX }] {
        let base = Arc::new(Base::new(&project, max, &mut || false).unwrap());
        assert_eq!(base.unread.as_deref(), Some("2.ts"), "{max:?}");
        let words = Words { unread: 2, places: vec![0, 1], ..Words::on(base, &project) };
        let places = |part: &str| {
            let mut places = Vec::new();
            words.having(&Part::new(part, false, false).unwrap(), |at| places.push(at));
            places
        };
        assert_eq!(places("word7"), [7]);
        assert_eq!(places("shared"), (0..10).collect::<Vec<_>>());
        let all = found(&words, &Part::all_of("word1"));
        assert_eq!(all[..2], ["1.ts", "2.ts"], "those that were not read may have it");
        snapshot.write("0.ts", "changed", &ChangeLine::default()).await.unwrap();
        let later = words.kept(&snapshot.current().await.unwrap()).unwrap();
        assert_eq!((later.fresh.len(), later.unread), (1, 2));
        snapshot.write("0.ts", "Word0 shared other0", &ChangeLine::default()).await.unwrap();
    }
    assert!(Base::new(&project, MAX, &mut || true).is_none());
}

#[tokio::test]
async fn whoever_misses_them_twice_gets_them_made() {
    let files = Arc::new(MemoryFiles::new([("a.ts".to_owned(), "word".to_owned())].into()));
    let project = Snapshot::new(files as _).current().await.unwrap();
    let shelf = Arc::new(Shelf::default());
    assert!(shelf.known_words(&project).is_none());
    assert!(shelf.latest.lock().unwrap().is_none(), "one look is quicker without");
    assert!(shelf.known_words(&project).is_none());
    while shelf.known_words(&project).is_none() {
        std::thread::yield_now();
    }
}
