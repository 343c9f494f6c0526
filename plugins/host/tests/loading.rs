//! What becomes of a plugin directory that is not as it should be: a reason, and never the end of the host.

mod built;

use std::fs;

use built::{Plugins, only, reason, shipped_library};
use slipway_plugin_host::{CallError, Misconduct, Options, PluginHost, messages::RateRequest};

#[tokio::test]
async fn libraries_of_another_interface_are_left_alone_for_a_reason() {
    for (fixture, expected) in [
        ("wrong-abi", "version 42 of the C interface"),
        ("missing-symbol", "does not export `slipway_plugin_table`"),
        ("small-table", "unusable: 8 bytes"),
        ("future-messages", "message versions 3 to 4"),
    ] {
        let plugins = Plugins::none().with_fixture(fixture, "billing");
        let host = plugins.open().await;
        assert!(host.plugins().is_empty());
        assert!(reason(&host).contains(expected), "{fixture}: {}", reason(&host));
    }
}

#[tokio::test]
async fn a_file_that_is_no_library_is_left_alone() {
    let whole = shipped_library("billing-hourly");
    for (bytes, expected) in [(&b""[..], "no ELF"), (b"#!/bin/sh\n", "no ELF"), (b"\x7fELF", "no ELF"), (&whole[..64 * 1024], "cut short")]
    {
        let plugins = Plugins::none().with_library("broken", "billing", bytes);
        let host = plugins.open().await;
        assert!(reason(&host).contains(expected), "{}", reason(&host));
    }
}

/// Without the look beforehand, the linker would touch pages beyond the end of the file, and SIGBUS would end this test.
#[tokio::test]
async fn a_library_that_was_cut_short_anywhere_does_not_end_the_host() {
    let whole = shipped_library("billing-hourly");
    for part in 1..64 {
        let plugins = Plugins::none().with_library("broken", "billing", &whole[..whole.len() / 64 * part]);
        let host = plugins.open().await;
        // Cut behind the last segment, only debugging information is gone.
        assert_eq!(host.plugins().len() + host.incompatible().len(), 1);
    }
}

#[tokio::test]
async fn a_shared_object_that_is_no_plugin_is_left_alone() {
    // The test program itself: position-independent, so it looks like a library, but the linker refuses programs.
    let program = fs::read(std::env::current_exe().unwrap()).unwrap();
    let plugins = Plugins::none().with_library("program", "billing", &program);
    let host = plugins.open().await;
    assert!(reason(&host).contains("cannot be loaded"), "{}", reason(&host));
}

#[tokio::test]
async fn one_broken_plugin_does_not_keep_the_others_out() {
    let plugins = Plugins::none().with_library("broken", "billing", b"nonsense").with_shipped("billing-hourly");
    fs::write(plugins.directory("empty").join("README"), "nothing here").unwrap();
    fs::write(plugins.path().join("a-file"), "not a directory").unwrap();
    plugins.directory(".being-installed");
    let host = plugins.open().await;
    assert_eq!(only(&host).id(), "billing-hourly");
    let incompatible = host.incompatible();
    let names: Vec<_> = incompatible.iter().map(|skipped| skipped.directory.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["broken", "empty"]);
    assert_eq!(incompatible[0].manifest.as_ref().unwrap().id, "broken");
    assert!(incompatible[1].manifest.is_none());
}

#[tokio::test]
async fn an_id_belongs_to_the_first_that_has_it() {
    let plugins = Plugins::none().with_shipped("billing-hourly");
    let copy = plugins.directory("copy");
    for name in ["plugin.toml", "libslipway_plugin_billing_hourly.so"] {
        fs::copy(plugins.path().join("billing-hourly").join(name), copy.join(name)).unwrap();
    }
    let host = plugins.open().await;
    assert_eq!(host.plugins().len(), 1);
    assert!(reason(&host).contains("billing-hourly is taken"), "{}", reason(&host));
}

#[tokio::test]
async fn a_library_other_than_the_approved_one_is_left_alone() {
    let plugins = Plugins::none().with_shipped("billing-hourly");
    let digest = only(&plugins.open().await).library_sha256().to_owned();
    let approving = |digest: &str| Options { approved: [("billing-hourly".to_owned(), digest.to_owned())].into(), ..Options::default() };
    assert!(plugins.open_with(approving(&digest.to_uppercase())).await.incompatible().is_empty());

    let path = plugins.path().join("billing-hourly/libslipway_plugin_billing_hourly.so");
    let mut bytes = fs::read(&path).unwrap();
    bytes.push(0);
    // A new file: to change one that is mapped would change the running code.
    fs::remove_file(&path).unwrap();
    fs::write(&path, bytes).unwrap();
    let host = plugins.open_with(approving(&digest)).await;
    assert!(reason(&host).contains(&format!("{digest} was approved")), "{}", reason(&host));
}

#[tokio::test]
async fn a_buildpack_is_beside_the_manifest_and_is_webassembly() {
    let plugins = Plugins::none().with_shipped("runtime-docker");
    let host = plugins.open().await;
    let plugin = only(&host);
    let buildpack = plugin.buildpack().unwrap();
    assert_eq!(fs::read(&buildpack.path).unwrap().len() as u64, buildpack.size_bytes);
    // sha256sum of the eight bytes that the fixture writes.
    assert_eq!(buildpack.sha256, "24eaf3439a60c96764c4f2c92a0a81b52bd4fe5d5b91f090184a0f6486b1bf29");

    fs::write(plugins.path().join("runtime-docker/dockerfile.wasm"), "not wasm").unwrap();
    assert!(reason(&plugins.open().await).contains("not a WebAssembly file"));
    fs::remove_file(plugins.path().join("runtime-docker/dockerfile.wasm")).unwrap();
    assert!(reason(&plugins.open().await).contains("dockerfile.wasm cannot be read"));
}

#[tokio::test]
async fn a_manifest_that_lies_about_its_kind_is_found_out_at_the_first_call() {
    let library = shipped_library("runtime-node");
    let plugins = Plugins::none().with_library("liar", "billing", &library);
    let liar = only(&plugins.open().await);
    let rated = liar.billing_rate(RateRequest { currency: "USD".into(), usage: Vec::new() }).await;
    let Err(CallError::Misconduct { misconduct: Misconduct::NotUnderstood(message), .. }) = rated else { panic!("{rated:?}") };
    assert!(message.contains("kind runtime"), "{message}");
    assert_eq!(liar.stats().strikes, 1);
}

#[tokio::test]
async fn what_is_added_or_mended_is_found_by_the_next_scan() {
    let plugins = Plugins::none().with_library("broken", "billing", b"nonsense");
    let host = plugins.open().await;
    assert!(host.plugins().is_empty());
    let plugins = plugins.with_shipped("ingress-traefik").with_library("broken", "billing", &shipped_library("billing-hourly"));
    host.rescan().await.unwrap();
    assert_eq!(host.plugins().iter().map(|plugin| plugin.id()).collect::<Vec<_>>(), ["broken", "ingress-traefik"]);
    assert!(host.incompatible().is_empty());
    let before = host.get("broken").unwrap();
    plugins.open().await;
    host.rescan().await.unwrap();
    assert!(std::sync::Arc::ptr_eq(&before, &host.get("broken").unwrap()), "a loaded plugin stays as it is");
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_an_error() {
    let plugins = Plugins::none();
    assert!(PluginHost::open(plugins.path().join("missing"), Options::default()).await.is_err());
}

#[tokio::test]
async fn a_settings_schema_that_is_none_is_refused() {
    let plugins = Plugins::none().with_shipped("billing-hourly").append_to_manifest("billing-hourly", "\n[settings_schema]\ntype = 7\n");
    assert!(reason(&plugins.open().await).contains("settings_schema"));
}
