//! The index of a project's texts: of each file of code its facts and where its imports lead. Kept
//! between calls; only files that changed are read again, on threads of their own, and between two
//! files they look whether anybody still waits for them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use tokio::sync::oneshot;

use super::facts::Facts;
use super::paths::Paths;
use super::resolve::Layout;
use super::survey::Survey;
use super::tsconfig::{NAMES, aliases, parse};
use super::words::{Shelf, Words};
use super::{depth, extract, recover};
use crate::error::{CoreError, ErrorCode};
use crate::workspace::FileError;
use crate::workspace::snapshot::{File, Project, Snapshot};

/// Endings of code.
const CODE: [&str; 8] = [".ts", ".tsx", ".js", ".jsx", ".mts", ".cts", ".mjs", ".cjs"];

/// Whether a path names a file of code.
pub fn is_code(path: &str) -> bool {
    CODE.iter().any(|ending| path.ends_with(ending))
}

/// A file as the index knows it.
#[derive(Debug, Clone)]
pub struct Indexed {
    revision: u64,
    /// Its text.
    pub text: Arc<str>,
    /// What it says; `None` if it is not code.
    pub code: Option<Code>,
}

/// What a file of code says.
#[derive(Debug, Clone)]
pub struct Code {
    /// The facts of the text as it is.
    pub facts: Arc<Facts>,
    /// The facts of the last text that parsed.
    good: Option<Arc<Facts>>,
    layout: u64,
    /// For each import, the file that it leads to.
    pub targets: Vec<Option<Arc<str>>>,
}

/// The files by path.
type Files = BTreeMap<Arc<str>, Arc<Indexed>>;
/// Of each file, who names it.
type Importers = HashMap<Arc<str>, Vec<Arc<str>>>;

/// The index of a project at one moment.
#[derive(Debug, Default)]
pub struct Index {
    /// The project.
    pub project: Arc<Project>,
    files: Files,
    importers: OnceLock<Importers>,
    survey: OnceLock<Survey>,
    words: Arc<Shelf>,
    layouts: Arc<Layouts>,
}

impl Index {
    /// All texts, by path.
    pub fn files(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Indexed>)> {
        self.files.iter()
    }

    /// All files of code with their facts, by path.
    pub fn code(&self) -> impl Iterator<Item = (&Arc<str>, &Code)> {
        self.files.iter().filter_map(|(path, file)| Some((path, file.code.as_ref()?)))
    }

    /// The file at a path.
    pub fn get(&self, path: &str) -> Option<&Arc<Indexed>> {
        self.files.get(path)
    }

    /// What the file of code at a path says.
    pub fn code_of(&self, path: &str) -> Option<&Code> {
        self.files.get(path)?.code.as_ref()
    }

    /// Who imports a file, by path.
    pub fn importers(&self, path: &str) -> &[Arc<str>] {
        let importers = self.importers.get_or_init(|| {
            let mut importers = Importers::new();
            for (path, code) in self.code() {
                let mut targets: Vec<&Arc<str>> = code.targets.iter().flatten().collect();
                targets.sort();
                targets.dedup();
                for target in targets {
                    importers.entry(Arc::clone(target)).or_default().push(Arc::clone(path));
                }
            }
            importers
        });
        importers.get(path).map_or(&[], Vec::as_slice)
    }

    /// The words of its texts; `None` if `stop` says so first.
    pub fn words(&self, stop: &mut dyn FnMut() -> bool) -> Option<Arc<Words>> {
        self.words.words(&self.project, stop)
    }

    pub(super) fn survey(&self) -> &Survey {
        self.survey.get_or_init(|| Survey::new(self))
    }

    /// Whether a package.json of the project lists the package that a specifier names.
    pub fn lists(&self, specifier: &str) -> bool {
        self.layouts.packages.contains(package_of(specifier))
    }

    /// The file that `specifier` names in the file `from`; `None` if it is not in the project.
    pub fn resolve(&self, from: &str, specifier: &str) -> Option<Arc<str>> {
        self.layouts.layout.resolve(from, specifier)
    }
}

/// The package that a bare specifier names.
pub fn package_of(specifier: &str) -> &str {
    let names = if specifier.starts_with('@') { 2 } else { 1 };
    specifier.match_indices('/').nth(names - 1).map_or(specifier, |(end, _)| &specifier[..end])
}

/// Keeps the index of a project. One per run.
#[derive(Debug)]
pub struct Indexer {
    snapshot: Arc<Snapshot>,
    /// What has been read so far; a thread that is given up leaves what it has.
    read: Arc<Mutex<HashMap<Arc<str>, Arc<Indexed>>>>,
    latest: tokio::sync::Mutex<(Arc<Index>, Arc<Layouts>)>,
    /// The words of its texts.
    pub(crate) words: Arc<Shelf>,
    /// The paths of a project, as it was when they were last asked for.
    paths: Mutex<Option<(Arc<Project>, Arc<Paths>)>>,
}

#[derive(Debug, Default)]
struct Layouts {
    id: u64,
    layout: Layout,
    /// Packages that the project's package.json files list.
    packages: HashSet<String>,
}

/// Files that are worth a thread to read them.
const FILES_PER_THREAD: usize = 32;

/// Tells the thread that nobody waits any more.
struct GiveUp(Arc<AtomicBool>);

impl Drop for GiveUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Indexer {
    /// An index of what `snapshot` holds; nothing is read yet.
    pub fn new(snapshot: Arc<Snapshot>) -> Self {
        Self {
            snapshot,
            read: Arc::default(),
            latest: tokio::sync::Mutex::default(),
            words: Arc::default(),
            paths: Mutex::default(),
        }
    }

    /// The project as it is now.
    ///
    /// # Errors
    /// As [`Snapshot::current`].
    pub async fn project(&self) -> Result<Arc<Project>, FileError> {
        self.snapshot.current().await
    }

    /// The paths of the project as it is now.
    ///
    /// # Errors
    /// As [`Snapshot::current`].
    pub async fn paths(&self) -> Result<Arc<Paths>, FileError> {
        let project = self.snapshot.current().await?;
        let mut kept = lock(&self.paths);
        if let Some((of, paths)) = &*kept
            && Arc::ptr_eq(of, &project)
        {
            return Ok(Arc::clone(paths));
        }
        let paths = Arc::new(Paths::new(&project));
        *kept = Some((project, Arc::clone(&paths)));
        Ok(paths)
    }

    /// The index of the project as it is now.
    ///
    /// # Errors
    /// As [`Snapshot::current`].
    pub async fn current(&self) -> Result<Arc<Index>, FileError> {
        let project = self.snapshot.current().await?;
        let mut latest = self.latest.lock().await;
        if Arc::ptr_eq(&latest.0.project, &project) {
            return Ok(Arc::clone(&latest.0));
        }
        let (read, before) = (Arc::clone(&self.read), Arc::clone(&latest.1));
        let words = Arc::clone(&self.words);
        let (index, layouts) = on_thread(move |gone| update(project, words, &read, &before, gone)).await?;
        *latest = (Arc::new(index), layouts);
        Ok(Arc::clone(&latest.0))
    }
}

/// Runs heavy work on a thread with a stack for deep texts. If nobody waits any more, `work` sees it.
///
/// # Errors
/// `INTERNAL` if the thread cannot be started or ends without a result.
pub async fn on_thread<T: Send + 'static>(
    work: impl FnOnce(&AtomicBool) -> T + Send + 'static,
) -> Result<T, FileError> {
    let failed = |what: &str| FileError::Store(CoreError::new(ErrorCode::Internal, what));
    let gone = Arc::new(AtomicBool::new(false));
    let _give_up = GiveUp(Arc::clone(&gone));
    let (send, receive) = oneshot::channel();
    builder()
        .spawn(move || drop(send.send(work(&gone))))
        .map_err(|_| failed("no thread could be started to read the project's code"))?;
    receive.await.map_err(|_| failed("reading the project's code ended without a result"))
}

/// A thread with a stack for deep texts.
pub(super) fn builder() -> thread::Builder {
    thread::Builder::new().name("polaris-code".to_owned()).stack_size(depth::STACK_BYTES)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn update(
    project: Arc<Project>,
    words: Arc<Shelf>,
    read: &Mutex<HashMap<Arc<str>, Arc<Indexed>>>,
    before: &Arc<Layouts>,
    gone: &AtomicBool,
) -> (Index, Arc<Layouts>) {
    let layouts = layouts(&project, before);
    let is_current = |known: &Indexed, file: &File| {
        known.revision == file.revision && known.code.as_ref().is_none_or(|code| code.layout == layouts.id)
    };
    let texts: Vec<_> = project.texts().collect();
    // What this update ends with is its own: one that was given up may still write into `read`.
    let mut found: Vec<OnceLock<Arc<Indexed>>> = Vec::new();
    found.resize_with(texts.len(), OnceLock::new);
    {
        let read = lock(read);
        for (slot, (path, file, _)) in found.iter().zip(&texts) {
            if let Some(known) = read.get(*path).filter(|known| is_current(known, file)) {
                drop(slot.set(Arc::clone(known)));
            }
        }
    }
    let stale: Vec<_> = found.iter().zip(&texts).filter(|(slot, _)| slot.get().is_none()).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(&(slot, &(path, file, text))) = stale.get(next.fetch_add(1, Ordering::Relaxed))
            && !gone.load(Ordering::Relaxed)
        {
            let known = lock(read).get(path).cloned();
            let indexed = Arc::new(read_file(path, file, text, known, &layouts));
            drop(slot.set(Arc::clone(&indexed)));
            lock(read).insert(Arc::clone(path), indexed);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads_for(stale.len(), FILES_PER_THREAD) {
            // One that cannot be started leaves its part to the others.
            drop(builder().spawn_scoped(scope, work));
        }
        work();
    });
    let files: Files = found
        .into_iter()
        .zip(&texts)
        .filter_map(|(slot, (path, ..))| Some((Arc::clone(path), slot.into_inner()?)))
        .collect();
    // What is gone is kept no longer, unless somebody else goes on from here.
    if !gone.load(Ordering::Relaxed) {
        lock(read).retain(|path, _| files.contains_key(path));
    }
    let (importers, survey) = (OnceLock::new(), OnceLock::new());
    let index = Index { project, files, importers, survey, words, layouts: Arc::clone(&layouts) };
    (index, layouts)
}

/// How many threads work on that many files: one for each core that this process may use, within bounds,
/// and no more than have `each` files.
pub(super) fn threads_for(files: usize, each: usize) -> usize {
    const MAX_THREADS: usize = 4;
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    cores.min(MAX_THREADS).min(files.div_ceil(each))
}

fn read_file(
    path: &str,
    file: &File,
    text: &Arc<str>,
    known: Option<Arc<Indexed>>,
    layouts: &Layouts,
) -> Indexed {
    match known {
        // Only what its imports lead to may have changed.
        Some(known) if known.revision == file.revision => {
            let code = known.code.as_ref().map(|code| resolved(path, code.clone(), layouts));
            Indexed { code, ..known.as_ref().clone() }
        }
        known => {
            let good = known.and_then(|known| known.code.as_ref()?.good.clone());
            let code = is_code(path).then(|| resolved(path, read_code(path, text, good), layouts));
            Indexed { revision: file.revision, text: Arc::clone(text), code }
        }
    }
}

fn read_code(path: &str, text: &Arc<str>, good: Option<Arc<Facts>>) -> Code {
    let parsed = if depth::estimate(text) <= depth::MAX_DEPTH {
        extract::extract(path, text, 0).map_err(|_| true)
    } else {
        Err(false)
    };
    let (facts, good) = match parsed {
        Ok(facts) => {
            let mut facts = Facts { text: Arc::clone(text), ..facts };
            facts.note_verbatim();
            let facts = Arc::new(facts);
            (Arc::clone(&facts), Some(facts))
        }
        Err(parses_in_parts) => {
            let facts = recover::recover(path, text, good.as_deref(), parses_in_parts);
            (Arc::new(Facts { text: Arc::clone(text), ..facts }), good)
        }
    };
    Code { facts, good, layout: 0, targets: Vec::new() }
}

fn resolved(path: &str, code: Code, layouts: &Layouts) -> Code {
    let imports = code.facts.imports.iter();
    let targets = imports.map(|import| layouts.layout.resolve(path, &import.source)).collect();
    Code { targets, layout: layouts.id, ..code }
}

/// The layout of the project; the one before if nothing that it depends on changed.
fn layouts(project: &Project, before: &Arc<Layouts>) -> Arc<Layouts> {
    let is_config = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        NAMES.contains(&name)
            || (name.starts_with("tsconfig") && name.ends_with(".json"))
            || name == "package.json"
    };
    let mut hasher = DefaultHasher::new();
    for (path, file) in project.files() {
        path.hash(&mut hasher);
        // Any JSON file may be extended.
        if is_config(path) || path.ends_with(".json") {
            file.revision.hash(&mut hasher);
        }
    }
    let id = hasher.finish().max(1);
    if before.id == id {
        return Arc::clone(before);
    }
    let read = |path: &str| project.get(path)?.text().map(ToString::to_string);
    let paths = || project.files().map(|(path, _)| path);
    let aliases = aliases(paths().map(AsRef::as_ref), read);
    let mut own = BTreeMap::new();
    let mut packages = HashSet::new();
    for path in paths().filter(|path| path.ends_with("package.json") && !path.contains("node_modules/")) {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let Some(config) = (name == "package.json").then(|| read(path)).flatten().as_deref().and_then(parse)
        else {
            continue;
        };
        if let Some(name) = config["name"].as_str().filter(|_| !folder.is_empty()) {
            own.insert(name.to_owned(), folder.to_owned());
        }
        for list in ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"] {
            packages.extend(config[list].as_object().into_iter().flatten().map(|(name, _)| name.clone()));
        }
    }
    let layout = Layout::new(paths().cloned().collect(), aliases, own);
    Arc::new(Layouts { id, layout, packages })
}
