//! Sets the linker flags of a Node addon for the platform.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    napi_build::setup();
    println!("cargo:rerun-if-changed=build.rs");
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") && links_with_lld() {
        // Functions that compiled to the same code become one.
        println!("cargo:rustc-cdylib-link-arg=-Wl,--icf=all");
    }
}

/// Whether rustc links with the LLD that it brings along, as rustup's does for this target by default.
/// The linkers of other toolchains may not know LLD's flags.
fn links_with_lld() -> bool {
    let (Ok(target), Ok(rustc)) = (env::var("TARGET"), env::var("RUSTC")) else { return false };
    if target != "x86_64-unknown-linux-gnu" {
        return false;
    }
    let sysroot = Command::new(rustc).args(["--print", "sysroot"]).output();
    sysroot.is_ok_and(|output| {
        let sysroot = String::from_utf8_lossy(&output.stdout);
        Path::new(sysroot.trim()).join("lib/rustlib").join(target).join("bin/rust-lld").exists()
    })
}
