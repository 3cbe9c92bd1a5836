//! The tests of [`super::works`] once more in processes of their own: as an ordinary user, and at the
//! level below the best one.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::lab::{HELPER_VARIABLE, Packages, TOOLS_VARIABLE, helper, is_root, program};

/// Nobody's.
const USER: u32 = 1_850_000_000;

/// A folder that everybody can look into; goes away with it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("polaris-variant-{}-{name}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The best level of this machine, and a helper that knows only the one below.
fn kernel_helper(place: &Path, helper: &Path) -> Option<PathBuf> {
    let probe = Command::new(helper).arg("--probe").output().unwrap();
    let mut probe: serde_json::Value = serde_json::from_slice(&probe.stdout).unwrap();
    if probe["level"] != "full" || probe["landlock"].as_u64() < Some(3) {
        return None;
    }
    probe["level"] = "kernel".into();
    let path = place.join("kernel-sandbox");
    let text = format!(
        "#!/bin/sh\n[ \"$1\" = --probe ] && exec echo '{probe}'\nexec '{}' \"$@\"\n",
        helper.display()
    );
    program(&path, &text);
    Some(path)
}

fn works(name: &str, user: Option<u32>, kernel: bool) {
    if std::env::var_os(HELPER_VARIABLE).is_some() {
        return;
    }
    if user.is_some() && !is_root() {
        eprintln!("left out: {name} is what the other tests are");
        return;
    }
    let place = Place::new(name);
    let folder = &place.0;
    let helper = {
        let to = folder.join("polaris-sandbox");
        std::fs::copy(helper(), &to).unwrap();
        to
    };
    let helper = if kernel { kernel_helper(folder, &helper) } else { Some(helper) };
    let Some(helper) = helper else {
        assert!(std::env::var_os("CI").is_none(), "{name} cannot be tested here");
        eprintln!("left out: {name} cannot be tested here");
        return;
    };
    let tests = folder.join("tests");
    std::fs::copy(std::env::current_exe().unwrap(), &tests).unwrap();
    let tools = folder.join("packages");
    Packages::Own(&["typescript", "prettier"]).copy(&tools.join("own"));
    for packages in [Packages::Tools, Packages::Managers] {
        packages.copy(&tools.join("tools"));
    }
    let temp = folder.join("temp");
    std::fs::create_dir(&temp).unwrap();
    let mut command = Command::new(tests);
    command.args(["works::", "packages::", "--test-threads", "2"]).current_dir(folder);
    command.env(HELPER_VARIABLE, helper).env(TOOLS_VARIABLE, &tools).env("TMPDIR", &temp);
    if let Some(user) = user {
        chown(&temp, Some(user), Some(user)).unwrap();
        command.uid(user).gid(user);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{name}: {text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("test result: ok") && !text.contains(" 0 passed"), "{text}");
}

#[test]
fn all_of_it_works_at_level_kernel() {
    works("kernel", None, true);
}

#[test]
fn all_of_it_works_as_an_ordinary_user() {
    works("user", Some(USER), false);
}

#[test]
fn all_of_it_works_as_an_ordinary_user_at_level_kernel() {
    works("user-kernel", Some(USER + 1), true);
}
