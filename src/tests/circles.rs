//! Files that import each other in a circle can only be read together. No circle may be larger than
//! [`FILES_MAX`].
//!
//! An import of an item that a file only passes on (`pub use child::Item`, `use child::Item`) counts as one of the
//! file that defines it. Declaring a module is no import. Tests are left out.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{SourceFile, sources};

/// The most files that may import each other in a circle.
const FILES_MAX: usize = 4;

/// A module's path below the crate: `["nodes", "broker"]`.
type Module = Vec<String>;

/// The modules, each with the paths that it names, and where these lead.
struct Graph {
    paths: BTreeMap<Module, Vec<Vec<String>>>,
}

/// The module of a file of the library; `None` for tests and other targets.
fn module(path: &str) -> Option<Module> {
    let below = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let mut parts: Module = below.split('/').map(str::to_owned).collect();
    let is_test = |part: &String| part == "tests" || part == "testing" || part.ends_with("_tests");
    if parts.iter().any(is_test) || ["benches", "build", "main"].contains(&&*parts[0]) {
        return None;
    }
    if parts.last().is_some_and(|last| last == "mod") || parts == ["lib"] {
        parts.pop();
    }
    Some(parts)
}

/// The code of a file without comments and without the tests at its end.
fn product_code(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod ").filter(|at| {
        let declared = text[*at..].lines().nth(1).unwrap_or_default();
        declared.ends_with('{')
    });
    let lines = text[..end.unwrap_or(text.len())].lines();
    lines.map(|line| line.split_once("//").map_or(line, |(code, _)| code)).fold(
        String::new(),
        |mut code, line| {
            code.push_str(line);
            code.push('\n');
            code
        },
    )
}

/// The paths of a `use` declaration, without what follows `as`: `a::{b, c::d}` → `a::b`, `a::c::d`.
fn expand(prefix: &[String], tree: &str, out: &mut Vec<Vec<String>>) {
    let tree = tree.trim();
    let Some((head, group)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default();
        let parts = path.split("::").map(|part| part.trim().to_owned());
        out.push(prefix.iter().cloned().chain(parts.filter(|part| !part.is_empty())).collect());
        return;
    };
    let parts = head.split("::").map(|part| part.trim().to_owned());
    let prefix: Vec<String> =
        prefix.iter().cloned().chain(parts.filter(|part| !part.is_empty())).collect();
    let group = group.trim_end().strip_suffix('}').expect("rustfmt closes its groups");
    let (mut depth, mut from) = (0, 0);
    for (at, c) in group.char_indices().chain([(group.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !group[from..at].trim().is_empty() {
                    expand(&prefix, &group[from..at], out);
                }
                from = at + 1;
            }
            _ => {}
        }
    }
}

/// Every path that a file names: in its `use` declarations, and inline from `crate` or `super` on.
fn named(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut rest = String::new();
    let mut left = code;
    while let Some(at) = left.find("use ") {
        // A declaration is at the start of its line, but for `pub` and `pub(…)`; texts may say "use", too.
        let line = left[..at].rsplit('\n').next().unwrap_or_default().trim();
        let begins = line.is_empty() || line.starts_with("pub") && !line.contains(' ');
        let (before, after) = left.split_at(at + "use ".len());
        rest.push_str(before);
        left = after;
        if begins && let Some(end) = after.find(';') {
            expand(&[], &after[..end], &mut found);
            left = &after[end..];
        }
    }
    rest.push_str(left);
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    for word in rest.split(|c| !is_word(c)) {
        let parts: Vec<_> = word.trim_end_matches(':').split("::").map(str::to_owned).collect();
        // `pub(in super::super)` imports nothing.
        let is_place = parts.iter().all(|part| part == "super");
        if (word.starts_with("crate::") || word.starts_with("super::")) && !is_place {
            found.push(parts);
        }
    }
    found
}

impl Graph {
    fn new(files: &[SourceFile]) -> Self {
        let module =
            |file: &SourceFile| Some((module(&file.path)?, named(&product_code(&file.text))));
        Self { paths: files.iter().filter_map(module).collect() }
    }

    /// A path from the crate's root, if it is one of this crate.
    fn absolute(&self, from: &Module, path: &[String]) -> Option<Vec<String>> {
        let ups = path.iter().take_while(|part| *part == "super").count();
        match path.first()?.as_str() {
            "crate" => Some(path[1..].to_vec()),
            "self" => Some([from, &path[1..]].concat()),
            "super" => Some([&from[..from.len().checked_sub(ups)?], &path[ups..]].concat()),
            child => {
                let child = [&from[..], &[child.to_owned()]].concat();
                self.paths.contains_key(&child).then(|| [&from[..], path].concat())
            }
        }
    }

    /// The module that defines what `path` names; `seen` are the re-exports on the way.
    fn defines(&self, path: &[String], seen: &mut BTreeSet<Vec<String>>) -> Option<Module> {
        let module = (0..=path.len()).rev().map(|end| path[..end].to_vec());
        let module = module.into_iter().find(|module| self.paths.contains_key(module))?;
        let Some(item) = path.get(module.len()) else { return Some(module) };
        if !seen.insert(path[..=module.len()].to_vec()) {
            return Some(module);
        }
        for named in &self.paths[&module] {
            if named.len() > 1
                && named.last() == Some(item)
                && let Some(passed_on) = self.absolute(&module, named)
                && passed_on != path
                && let Some(defines) = self.defines(&passed_on, seen)
            {
                return Some(defines);
            }
        }
        Some(module)
    }

    /// The modules that a module imports.
    fn imports(&self, module: &Module) -> BTreeSet<Module> {
        let paths = self.paths[module].iter().filter_map(|path| self.absolute(module, path));
        let defines = paths.filter_map(|mut path| {
            if path.last().is_some_and(|last| last == "*") {
                path.pop();
            }
            self.defines(&path, &mut BTreeSet::new())
        });
        defines.filter(|imported| imported != module).collect()
    }

    /// The circles, the largest first: modules each of which can be reached from each other one.
    fn circles(&self) -> Vec<BTreeSet<Module>> {
        let imports: BTreeMap<_, _> =
            self.paths.keys().map(|module| (module, self.imports(module))).collect();
        let reached = |from: &Module| {
            let (mut reached, mut open) = (BTreeSet::new(), vec![from.clone()]);
            while let Some(module) = open.pop() {
                for next in &imports[&module] {
                    if reached.insert(next.clone()) {
                        open.push(next.clone());
                    }
                }
            }
            reached
        };
        let reached: BTreeMap<&Module, _> =
            self.paths.keys().map(|module| (module, reached(module))).collect();
        let circle = |module: &&Module| {
            let others = reached[module].iter().filter(|other| reached[other].contains(*module));
            others.cloned().collect::<BTreeSet<Module>>()
        };
        let circles: BTreeSet<_> = self.paths.keys().map(|module| circle(&module)).collect();
        let mut circles: Vec<_> = circles.into_iter().filter(|circle| circle.len() > 1).collect();
        circles.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
        circles
    }
}

fn text(circle: &BTreeSet<Module>) -> String {
    let names: Vec<_> = circle.iter().map(|module| module.join("::")).collect();
    format!("{} files: {}", names.len(), names.join(", "))
}

#[test]
fn no_circle_of_imports_is_larger_than_can_be_read_at_once() {
    let circles = Graph::new(&sources()).circles();
    let large: Vec<_> =
        circles.iter().filter(|circle| circle.len() > FILES_MAX).map(text).collect();
    assert!(large.is_empty(), "\n{}", large.join("\n"));
}

#[test]
fn a_circle_is_seen_through_groups_and_re_exports_and_not_through_tests() {
    let file = |path: &str, text: &str| SourceFile { path: path.into(), text: text.into() };
    let files = [
        file("src/lib.rs", "pub mod a;\n"),
        file("src/a/mod.rs", "mod b;\nmod c;\nmod d;\npub use c::C;\nstruct A;\n"),
        file("src/a/b.rs", "use super::{\n    C, X as Y,\n};\n"),
        file("src/a/c.rs", "fn c() { crate::a::b::b() }\n"),
        file(
            "src/a/d.rs",
            "use super::A;\n#[cfg(test)]\nmod tests {\n    use super::super::e::E;\n}\n",
        ),
        file("src/a/e.rs", "use super::d::D;\n"),
    ];
    let circles = Graph::new(&files).circles();
    // `X` is not defined anywhere else, so it is of a/mod.rs, which passes on what c defines.
    assert_eq!(circles.iter().map(text).collect::<Vec<_>>(), ["3 files: a, a::b, a::c"]);
}
