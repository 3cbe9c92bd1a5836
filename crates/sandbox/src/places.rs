//! What of the machine a confined command gets to see, and nothing else: programs and libraries to
//! read and execute, a few files of /etc, the harmless devices. No folder here may hold a secret:
//! `/usr/local/etc` and `/etc/npmrc`, for one, can hold registry tokens.

/// Read and execute.
pub(crate) const PROGRAMS: &[&str] = &[
    "/bin",
    "/lib",
    "/lib32",
    "/lib64",
    "/sbin",
    "/usr/bin",
    "/usr/include",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/sbin",
    "/usr/share",
    "/usr/local/bin",
    "/usr/local/lib",
    "/usr/local/lib64",
    "/usr/local/libexec",
    "/usr/local/sbin",
    "/usr/local/share",
    "/etc/alternatives",
    "/nix/store",
];

/// Read. vitest resolves `localhost` and fails without the first two.
pub(crate) const SETTINGS: &[&str] = &[
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/protocols",
    "/etc/services",
    // Node does not start when it may not read a file that is there.
    "/etc/ssl/openssl.cnf",
];

/// Read only in a mount namespace's own form; otherwise as the machine has it.
pub(crate) const PROC: &str = "/proc";

/// Read: how many processors there are.
pub(crate) const PROCESSORS: &str = "/sys/devices/system/cpu";

/// Read and write, in a mount namespace's own form only.
pub(crate) const TMP: &str = "/tmp";

/// Read and write.
pub(crate) const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/full"];

/// Read.
pub(crate) const RANDOM: &[&str] = &["/dev/random", "/dev/urandom"];
