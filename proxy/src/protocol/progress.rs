//! MariaDB's progress packets, which stand before a reply and are shaped like an error with the code 65535.
//!
//! <https://mariadb.com/kb/en/err_packet/#progress-reporting>

use bytes::{BufMut, BytesMut};

use super::answer::put_lenenc_bytes;
use crate::hooks::Progress;

/// Whether a packet that begins like this is a progress report and not an error.
pub(crate) fn is_progress(head: &[u8]) -> bool {
    head.starts_with(&[0xff, 0xff, 0xff])
}

/// A progress packet's payload.
pub(crate) fn packet(progress: &Progress) -> BytesMut {
    let mut out = BytesMut::with_capacity(16 + progress.stage.len());
    out.put_slice(&[0xff, 0xff, 0xff, 1]);
    out.put_u8(progress.stage_number);
    out.put_u8(progress.stages);
    // A float is cut to the integer's range, so that no percentage, not even a NaN, overflows the field.
    let thousandths = (progress.percent.clamp(0.0, 100.0) * 1000.0) as u32;
    out.put_uint_le(u64::from(thousandths), 3);
    put_lenenc_bytes(&mut out, progress.stage.as_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden() {
        let progress = Progress {
            stage: "copying".to_owned(),
            stage_number: 1,
            stages: 3,
            percent: 12.5,
        };
        assert_eq!(
            &packet(&progress)[..],
            b"\xff\xff\xff\x01\x01\x03\xd4\x30\0\x07copying"
        );
        assert!(is_progress(&packet(&progress)));
        assert!(!is_progress(b"\xff\xff"));
        let odd = Progress {
            percent: f64::NAN,
            ..Progress::default()
        };
        assert_eq!(&packet(&odd)[6..9], b"\0\0\0");
    }
}
