//! No circle of files inside a crate: who reads a file first need not know one that it leads back to.
//!
//! A file depends on another where it names something in it: in a `use`, in a path, in a macro or an attribute. A re-export
//! (`pub use`) is no dependency, it says where a name is found, and is followed to the file that has it. Tests are apart.
//! Methods are seen where their type is named only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{MetadataCommand, TargetKind};
use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, UseTree, Visibility};

/// The names of the modules from the crate's root on.
type Module = Vec<String>;

/// What a crate is made of.
#[derive(Default)]
struct Source {
    files: BTreeMap<Module, File>,
}

/// One file.
struct File {
    at: PathBuf,
    /// Paths that it names, from the crate's root.
    named: Vec<Module>,
    /// Names that it passes on, with their paths from the crate's root.
    passed_on: BTreeMap<String, Module>,
}

impl Source {
    /// Reads the crate whose root file is `root`.
    fn read(root: &Path) -> Self {
        let mut source = Self::default();
        source.add(Vec::new(), root);
        source
    }

    fn add(&mut self, module: Module, at: &Path) {
        let text =
            fs::read_to_string(at).unwrap_or_else(|error| panic!("{}: {error}", at.display()));
        let parsed =
            syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", at.display()));
        let mut reader = Reader {
            module: module.clone(),
            named: Vec::new(),
            passed_on: BTreeMap::new(),
            children: Vec::new(),
        };
        reader.visit_file(&parsed);
        let folder = match at.file_stem().and_then(|stem| stem.to_str()) {
            Some("lib" | "main") | None => at.with_file_name(""),
            Some(stem) => at.with_file_name(stem),
        };
        let file = File {
            at: at.to_owned(),
            named: reader.named,
            passed_on: reader.passed_on,
        };
        self.files.insert(module.clone(), file);
        for (name, given) in reader.children {
            let child = match given {
                Some(path) => at.with_file_name(path),
                None => folder.join(&name).with_extension("rs"),
            };
            self.add([module.clone(), vec![name]].concat(), &child);
        }
    }

    /// The file that has what `path` names; none where no file of the crate is named.
    fn file_of(&self, path: &[String], patience: u8) -> Option<&Module> {
        let (module, file) = (0..=path.len())
            .rev()
            .find_map(|length| self.files.get_key_value(&path[..length]))?;
        let rest = &path[module.len()..];
        match rest.first().and_then(|name| file.passed_on.get(name)) {
            Some(to) if patience > 0 && **to != *path => {
                let further = [to.as_slice(), &rest[1..]].concat();
                self.file_of(&further, patience - 1)
            }
            _ => Some(module),
        }
    }

    /// The circles, each with the arrows that make it.
    fn circles(&self) -> Vec<Vec<String>> {
        let mut graph: DiGraphMap<&Module, ()> = DiGraphMap::new();
        for (from, file) in &self.files {
            for path in &file.named {
                if let Some(to) = self.file_of(path, 8)
                    && to != from
                {
                    graph.add_edge(from, to, ());
                }
            }
        }
        let several = tarjan_scc(&graph)
            .into_iter()
            .filter(|files| files.len() > 1);
        let circles = several.map(|files| {
            let inside: BTreeSet<&Module> = files.into_iter().collect();
            let arrows = graph
                .all_edges()
                .filter(|(from, to, ())| inside.contains(from) && inside.contains(to));
            let show = |module: &Module| self.files[module].at.display().to_string();
            let mut arrows: Vec<String> = arrows
                .map(|(from, to, ())| format!("{} -> {}", show(from), show(to)))
                .collect();
            arrows.sort_unstable();
            arrows
        });
        circles.collect()
    }
}

/// Collects what a file names.
struct Reader {
    /// The module that is being read, those inside the file too.
    module: Module,
    named: Vec<Module>,
    passed_on: BTreeMap<String, Module>,
    /// Files below, with the path that an attribute gives.
    children: Vec<(String, Option<String>)>,
}

impl Reader {
    /// A path from the crate's root; none where it leads out of the crate as far as it can be seen.
    fn absolute(&self, path: &[String]) -> Option<Module> {
        let rest = |from: usize| path[from..].to_vec();
        let above = path.iter().take_while(|name| *name == "super").count();
        match path.first()?.as_str() {
            "crate" => Some(rest(1)),
            "self" => Some([self.module.clone(), rest(1)].concat()),
            "super" => {
                let kept = self.module.len().checked_sub(above)?;
                Some([self.module[..kept].to_vec(), rest(above)].concat())
            }
            // A module of this file, where there is one of this name.
            _ => Some([self.module.clone(), rest(0)].concat()),
        }
    }

    fn name(&mut self, path: &[String]) {
        if path.len() > 1 {
            self.named.extend(self.absolute(path));
        }
    }

    /// Paths in what no grammar is known of: the words between `::`.
    fn name_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(word) => {
                    if colons != 2 {
                        self.name(&std::mem::take(&mut path));
                    }
                    path.push(word.to_string());
                    colons = 0;
                }
                TokenTree::Punct(sign) if sign.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.name(&std::mem::take(&mut path));
                    colons = 0;
                    self.name_tokens(group.stream());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {
                    self.name(&std::mem::take(&mut path));
                    colons = 0;
                }
            }
        }
        self.name(&path);
    }

    fn take_use(&mut self, tree: &UseTree, before: &[String], passes_on: bool) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        let mut leaf = |path: Module, name: String| {
            let absolute = match path.as_slice() {
                [only] if before.is_empty() && !passes_on => {
                    self.absolute(std::slice::from_ref(only))
                }
                path => self.absolute(path),
            };
            match passes_on {
                true => self.passed_on.extend(absolute.map(|path| (name, path))),
                false => self.named.extend(absolute),
            }
        };
        match tree {
            UseTree::Path(path) => self.take_use(&path.tree, &with(&path.ident), passes_on),
            UseTree::Group(group) => {
                for one in &group.items {
                    self.take_use(one, before, passes_on);
                }
            }
            UseTree::Name(name) if name.ident == "self" => {
                let last = before.last().cloned().unwrap_or_default();
                leaf(before.to_vec(), last);
            }
            UseTree::Name(name) => leaf(with(&name.ident), name.ident.to_string()),
            UseTree::Rename(rename) => leaf(with(&rename.ident), rename.rename.to_string()),
            UseTree::Glob(_) => leaf(before.to_vec(), String::new()),
        }
    }
}

fn is_of_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|one| {
        one.path().is_ident("cfg")
            && one
                .meta
                .require_list()
                .is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

fn attributes_of(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_of_tests(attributes_of(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        let name = module.ident.to_string();
        if module.content.is_some() {
            self.module.push(name);
            visit::visit_item_mod(self, module);
            self.module.pop();
            return;
        }
        let given = module.attrs.iter().find_map(|one| match &one.meta {
            syn::Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
                syn::Expr::Lit(syn::ExprLit {
                    lit: syn::Lit::Str(text),
                    ..
                }) => Some(text.value()),
                _ => None,
            },
            _ => None,
        });
        self.children.push((name, given));
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let passes_on = !matches!(item.vis, Visibility::Inherited);
        self.take_use(&item.tree, &[], passes_on);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path
            .segments
            .iter()
            .map(|one| one.ident.to_string())
            .collect();
        if path.leading_colon.is_none() {
            self.name(&names);
        }
        visit::visit_path(self, path);
    }

    /// `pub(in path)` names where something is seen, and depends on nothing there.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.name_tokens(called.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            self.name_tokens(list.tokens.clone());
        }
    }
}

#[test]
fn no_crate_has_a_circle_of_files() {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    let mut found = Vec::new();
    let mut files = 0;
    for package in metadata.workspace_packages() {
        for target in &package.targets {
            if target
                .kind
                .iter()
                .any(|kind| matches!(kind, TargetKind::Lib | TargetKind::Bin))
            {
                let source = Source::read(target.src_path.as_std_path());
                files += source.files.len();
                found.extend(source.circles().into_iter().map(|arrows| arrows.join("\n")));
            }
        }
    }
    assert!(files > 500, "only {files} files were read");
    assert!(
        found.is_empty(),
        "{} circles:\n{}",
        found.len(),
        found.join("\n\n")
    );
}

/// The circles of a crate of these files.
fn circles_of(files: &[(&str, &str)]) -> usize {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let at = folder.path().join(name);
        fs::create_dir_all(at.parent().expect("a folder")).expect("a folder");
        fs::write(at, text).expect("a file");
    }
    Source::read(&folder.path().join("lib.rs")).circles().len()
}

#[test]
fn a_circle_is_found_however_it_is_written() {
    let root = ("lib.rs", "mod a;\nmod b;");
    let b = ("b.rs", "pub struct B(crate::a::A);");
    for back in [
        "use crate::b::B;",
        "use super::{b::{B as Other}};",
        "pub type A = super::b::B;",
        "fn f() { println!(\"{}\", crate::b::B::NAME); }",
        "#[arg(value_parser = crate::b::parse)] struct S;",
    ] {
        let a = format!("{back}\npub struct A;");
        assert_eq!(circles_of(&[root, ("a.rs", &a), b]), 1, "{back}");
    }
    assert_eq!(circles_of(&[root, ("a.rs", "pub struct A;"), b]), 0);
}

#[test]
fn a_name_that_is_passed_on_belongs_to_the_file_that_has_it() {
    let root = ("lib.rs", "mod parent;");
    let parent = (
        "parent.rs",
        "mod one;\nmod two;\npub use one::One;\npub fn f() { two::g() }",
    );
    let one = ("parent/one.rs", "pub struct One;");
    let by_the_parent = ("parent/two.rs", "use super::One;\npub fn g() {}");
    assert_eq!(circles_of(&[root, parent, one, by_the_parent]), 0);
    let of_the_parent = ("parent/two.rs", "pub fn g() { super::f() }");
    assert_eq!(circles_of(&[root, parent, one, of_the_parent]), 1);
    // What only tests name is no arrow.
    let in_tests = (
        "parent/two.rs",
        "pub fn g() {}\n#[cfg(test)]\nmod tests { use super::super::f; }",
    );
    assert_eq!(circles_of(&[root, parent, one, in_tests]), 0);
}
