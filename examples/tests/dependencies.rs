//! The dependency rule: a mechanism crate depends on `rtc-core` and libraries of its field, never on another mechanism.

use cargo_metadata::{Metadata, MetadataCommand, Package};

/// The packages that compose mechanisms, and so may depend on all of them.
const COMPOSERS: [&str; 2] = ["rtc-examples", "rtc-benches"];

#[test]
fn mechanisms_depend_on_core_only() {
    for package in libraries(&metadata()) {
        let siblings: Vec<_> = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.path.is_some())
            .map(|dependency| dependency.name.as_str())
            .filter(|name| *name != "rtc-core")
            .collect();
        assert!(siblings.is_empty(), "{} depends on {siblings:?}", package.name);
    }
}

#[test]
fn core_depends_on_no_crate_of_the_workspace() {
    let metadata = metadata();
    let core = libraries(&metadata).find(|package| package.name.as_str() == "rtc-core").expect("rtc-core is a member");
    assert!(core.dependencies.iter().all(|dependency| dependency.path.is_none()));
}

#[test]
fn default_features_are_minimal() {
    for package in libraries(&metadata()) {
        let default = package.features.get("default");
        assert!(default.is_none_or(Vec::is_empty), "{} has default features {default:?}", package.name);
    }
}

#[test]
fn every_library_is_ready_to_publish() {
    for package in libraries(&metadata()) {
        let name = &package.name;
        assert!(package.description.as_ref().is_some_and(|text| text.len() > 20), "{name}: description");
        assert_eq!(package.license.as_deref(), Some("MIT OR Apache-2.0"), "{name}: licence");
        assert!(!package.keywords.is_empty() && !package.categories.is_empty(), "{name}: keywords and categories");
        assert!(package.metadata["docs"]["rs"]["all-features"].as_bool() == Some(true), "{name}: docs.rs section");
        let folder = package.manifest_path.parent().expect("a manifest lies in a folder");
        for file in ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE", "src/lib.rs"] {
            assert!(folder.join(file).exists(), "{name}: {file}");
        }
    }
}

fn libraries(metadata: &Metadata) -> impl Iterator<Item = &Package> {
    metadata.workspace_packages().into_iter().filter(|package| !COMPOSERS.contains(&package.name.as_str()))
}

fn metadata() -> Metadata {
    let mut command = MetadataCommand::new();
    command.manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml")).no_deps();
    command.exec().expect("cargo metadata runs where cargo test does")
}
