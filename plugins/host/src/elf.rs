//! A look at a library before the dynamic linker sees it.
//!
//! The linker maps what the program headers name without asking whether the file is that long; touching a page beyond the end
//! is a SIGBUS, which would end the host. So a library that was cut short is refused here.

const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
const SHARED_OBJECT: u16 = 3;
const LOAD: u32 = 1;
const DYNAMIC: u32 = 2;

/// Whether a file of that length, which begins with these bytes, can be given to the dynamic linker of a 64-bit little-endian
/// Linux. Program headers that lie beyond the given bytes are taken to be cut off.
pub(crate) fn check(bytes: &[u8], length: u64) -> Result<(), String> {
    if bytes.len() < HEADER || !bytes.starts_with(b"\x7fELF") {
        return Err("it is no ELF file".into());
    }
    if bytes[4..6] != [2, 1] {
        return Err("it is not 64-bit little-endian".into());
    }
    if u16_at(bytes, 16) != Some(SHARED_OBJECT) {
        return Err("it is no shared object".into());
    }
    let machine = u16_at(bytes, 18);
    if machine_here().is_some_and(|here| machine != Some(here)) {
        return Err(format!("it is built for another processor than {}", std::env::consts::ARCH));
    }
    let cut_short = || "its program headers are cut short".to_owned();
    let first = u64_at(bytes, 32).and_then(|offset| usize::try_from(offset).ok()).ok_or_else(cut_short)?;
    if u16_at(bytes, 54).map(usize::from) != Some(PROGRAM_HEADER) {
        return Err("its program headers have an unknown size".into());
    }
    let count = usize::from(u16_at(bytes, 56).unwrap_or(0));
    let end = count.checked_mul(PROGRAM_HEADER).and_then(|length| first.checked_add(length)).ok_or_else(cut_short)?;
    let headers = bytes.get(first..end).ok_or_else(cut_short)?;
    let mut is_dynamic = false;
    for header in headers.chunks_exact(PROGRAM_HEADER) {
        let kind = u32_at(header, 0);
        let end = u64_at(header, 8).zip(u64_at(header, 32)).and_then(|(offset, size)| offset.checked_add(size));
        let is_inside = end.is_some_and(|end| end <= length);
        if matches!(kind, Some(LOAD | DYNAMIC)) && !is_inside {
            return Err(format!("it is cut short at {length} bytes"));
        }
        is_dynamic |= kind == Some(DYNAMIC);
    }
    if is_dynamic { Ok(()) } else { Err("it has nothing to link".into()) }
}

fn machine_here() -> Option<u16> {
    match std::env::consts::ARCH {
        "x86_64" => Some(62),
        "aarch64" => Some(183),
        "riscv64" => Some(243),
        _ => None,
    }
}

fn array_at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..offset.checked_add(N)?)?.try_into().ok()
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    array_at(bytes, offset).map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    array_at(bytes, offset).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    array_at(bytes, offset).map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This test program is a position-independent executable, which is laid out like a library.
    fn own_program() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    fn check_whole(bytes: &[u8]) -> Result<(), String> {
        check(bytes, bytes.len() as u64)
    }

    #[test]
    fn its_beginning_and_its_length_are_enough() {
        let whole = own_program();
        assert_eq!(check(&whole[..4096], whole.len() as u64), Ok(()));
        assert!(check(&whole[..4096], whole.len() as u64 / 8).unwrap_err().starts_with("it is cut short at"));
    }

    #[test]
    fn a_whole_file_is_accepted() {
        assert_eq!(check_whole(&own_program()), Ok(()));
    }

    #[test]
    fn a_file_cut_anywhere_before_its_last_segment_ends_is_refused() {
        let whole = own_program();
        for length in [0, 3, 63, 64, 100, 4096, whole.len() / 8] {
            assert!(check_whole(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
        }
    }

    #[test]
    fn headers_that_lie_about_their_place_are_refused() {
        let mut bytes = own_program();
        bytes[32..40].copy_from_slice(&u64::MAX.to_le_bytes());
        assert_eq!(check_whole(&bytes).unwrap_err(), "its program headers are cut short");
    }

    #[test]
    fn another_processor_is_named() {
        let mut bytes = own_program();
        bytes[18] = 8;
        assert!(check_whole(&bytes).unwrap_err().contains("another processor"));
    }

    #[test]
    fn text_is_no_library() {
        assert!(check_whole(&[b'#'; 200]).is_err());
    }
}
