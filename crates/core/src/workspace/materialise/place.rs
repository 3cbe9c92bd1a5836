//! Where a copy of a project that is only read may lie: in memory, if the machine has a place there with
//! room. To make 1,000 files takes 15 ms in it and 25 ms on a disk, but 750 ms on an ext4 where many have just
//! been removed (measured): it passes over what was removed a moment ago, one by one (`recently_deleted`).

use std::path::Path;

/// What lies here is in memory, on Linux.
const MEMORY: &str = "/dev/shm";
/// The place is for all programs of the machine, and in containers 64 MiB by default: a copy takes an
/// eighth of what is free, at most.
const SHARE: u64 = 8;
/// Files take whole pages.
const PAGE: u64 = 4 << 10;

/// What a copy takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    bytes: u64,
    files: u64,
}

impl Size {
    /// Whether it is so much more than `before` that its place must be looked for anew.
    pub fn has_outgrown(self, before: Self) -> bool {
        self.bytes / 2 > before.bytes || self.files / 2 > before.files
    }
}

/// Of files of so many bytes each. Folders are not counted: the other seven eighths have room for them.
impl FromIterator<usize> for Size {
    fn from_iter<I: IntoIterator<Item = usize>>(lengths: I) -> Self {
        lengths.into_iter().fold(Self::default(), |size, length| Self {
            bytes: size.bytes + (length as u64).next_multiple_of(PAGE),
            files: size.files + 1,
        })
    }
}

/// The place in memory, whether it can be used or not; elsewhere than on Linux, none is known.
pub(super) fn memory() -> Option<&'static Path> {
    cfg!(target_os = "linux").then_some(Path::new(MEMORY))
}

/// The place in memory, if there is room for such a copy.
#[cfg(target_os = "linux")]
pub fn in_memory(size: Size) -> Option<&'static Path> {
    let place = memory()?;
    let found = rustix::fs::statfs(place).ok()?;
    // `TMPFS_MAGIC` of linux/magic.h.
    let is_memory = u64::try_from(found.f_type).is_ok_and(|kind| kind == 0x0102_1994);
    let free = Size {
        bytes: found.f_bavail.saturating_mul(u64::try_from(found.f_bsize).ok()?),
        files: found.f_ffree,
    };
    // Without a limit for files, it has none at all.
    let counts_files = found.f_files > 0;
    (is_memory && is_safe(place) && has_room(free, counts_files, size)).then_some(place)
}

/// Elsewhere, no place is known.
#[cfg(not(target_os = "linux"))]
pub fn in_memory(_size: Size) -> Option<&'static Path> {
    None
}

/// Whether all may go through it, as the confined server must, and nobody can take away what is another's.
#[cfg(target_os = "linux")]
fn is_safe(place: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(place).is_ok_and(|found| {
        let mode = found.mode();
        mode & 0o001 != 0 && (mode & 0o022 == 0 || mode & 0o1000 != 0)
    })
}

#[cfg(any(target_os = "linux", test))]
fn has_room(free: Size, counts_files: bool, size: Size) -> bool {
    let fits = |free: u64, taken: u64| taken.checked_mul(SHARE).is_some_and(|least| free >= least);
    fits(free.bytes, size.bytes) && (!counts_files || fits(free.files, size.files))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_takes_an_eighth_of_what_is_free() {
        let size: Size = [1, 4_096, 4_097, 0].into_iter().collect();
        assert_eq!(size, Size { bytes: 4 * 4_096, files: 4 });
        let free = |bytes, files| Size { bytes, files };
        assert!(has_room(free(8 * size.bytes, 32), true, size));
        assert!(!has_room(free(8 * size.bytes - 1, 32), true, size));
        assert!(!has_room(free(8 * size.bytes, 31), true, size));
        assert!(has_room(free(8 * size.bytes, 0), false, size));
        assert!(!has_room(free(u64::MAX, u64::MAX), true, free(u64::MAX, 1)));
        assert!(free(10, 2).has_outgrown(free(4, 2)) && free(4, 10).has_outgrown(free(4, 2)));
        assert!(!free(8, 4).has_outgrown(free(4, 2)));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_place_where_others_could_take_away_the_copy_is_none() {
        use std::fs::{DirBuilder, Permissions, set_permissions};
        use std::os::unix::fs::PermissionsExt as _;
        let place = std::env::temp_dir().join(format!("polaris-place-test-{}", std::process::id()));
        DirBuilder::new().create(&place).unwrap();
        for (mode, safe) in [(0o1777, true), (0o755, true), (0o777, false), (0o770, false), (0o700, false)] {
            set_permissions(&place, Permissions::from_mode(mode)).unwrap();
            assert_eq!(is_safe(&place), safe, "{mode:o}");
        }
        std::fs::remove_dir(&place).unwrap();
        assert!(!is_safe(&place));
    }

    #[test]
    fn what_no_machine_has_room_for_lies_elsewhere() {
        assert_eq!(in_memory(Size { bytes: u64::MAX, files: 1 }), None);
    }
}
