//! Dates and times in a row image, as text.

/// A DATE: day in 5 bits, month in 4, year above.
pub(super) fn date(packed: u64) -> String {
    ymd(packed >> 9, packed >> 5 & 0x0F, packed & 0x1F)
}

/// A DATETIME, stored so that it orders as bytes: the sign bit is set, then `year * 13 + month`, day, hour, minute
/// and second.
pub(super) fn datetime(packed: u64, fraction: u64, fraction_bytes: usize) -> String {
    let packed = packed & 0x7F_FFFF_FFFF;
    let (day_part, time_part) = (packed >> 17, packed & 0x1_FFFF);
    let months = day_part >> 5;
    let date = ymd(months / 13, months % 13, day_part & 0x1F);
    let time = hms(time_part >> 12, time_part >> 6 & 0x3F, time_part & 0x3F);
    format!("{date} {time}{}", fraction_text(fraction, fraction_bytes))
}

/// A TIMESTAMP: seconds since 1970 in UTC; 0 is the zero value.
pub(super) fn timestamp(seconds: u64, fraction: u64, fraction_bytes: usize) -> String {
    if seconds == 0 && fraction == 0 {
        return "0000-00-00 00:00:00".to_owned();
    }
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let date = ymd(year, month, day);
    let time = hms(second / 3600, second / 60 % 60, second % 60);
    format!("{date} {time}{}", fraction_text(fraction, fraction_bytes))
}

/// A TIME of `3 + fraction_bytes` bytes: an offset, from which hours, minutes, seconds and fraction count up or,
/// if it is negative, down.
pub(super) fn time(packed: u64, fraction_bytes: usize) -> String {
    let fraction_bits = 8 * fraction_bytes;
    let zero = 0x80_0000_u64 << fraction_bits;
    let magnitude = packed.abs_diff(zero);
    let sign = if packed < zero { "-" } else { "" };
    let whole = magnitude >> fraction_bits;
    let fraction = magnitude & ((1 << fraction_bits) - 1);
    let time = hms(whole >> 12 & 0x3FF, whole >> 6 & 0x3F, whole & 0x3F);
    format!("{sign}{time}{}", fraction_text(fraction, fraction_bytes))
}

fn ymd(year: u64, month: u64, day: u64) -> String {
    format!("{year:04}-{month:02}-{day:02}")
}

fn hms(hour: u64, minute: u64, second: u64) -> String {
    format!("{hour:02}:{minute:02}:{second:02}")
}

/// Each byte of a fraction holds two of its digits.
fn fraction_text(fraction: u64, fraction_bytes: usize) -> String {
    match fraction_bytes {
        0 => String::new(),
        bytes => format!(".{fraction:0width$}", width = 2 * bytes),
    }
}

/// Year, month and day of a day counted from 1970-01-01, by counting years from March: so the leap day is the last.
fn civil(days: u64) -> (u64, u64, u64) {
    const DAYS_IN_400_YEARS: u64 = 146_097;
    // Days from 0000-03-01.
    let days = days + 719_468;
    let era = days / DAYS_IN_400_YEARS;
    let day = days % DAYS_IN_400_YEARS;
    let year = (day - day / 1460 + day / 36_524 - day / (DAYS_IN_400_YEARS - 1)) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_utc() {
        let check = |seconds, fraction, bytes, expected: &str| {
            assert_eq!(timestamp(seconds, fraction, bytes), expected);
        };
        check(0, 0, 0, "0000-00-00 00:00:00");
        check(1, 0, 0, "1970-01-01 00:00:01");
        check(951_782_400, 0, 0, "2000-02-29 00:00:00");
        check(1_711_852_200, 123_456, 3, "2024-03-31 02:30:00.123456");
        check(2_147_483_647, 99, 1, "2038-01-19 03:14:07.99");
        check(4_294_967_295, 0, 0, "2106-02-07 06:28:15");
    }

    #[test]
    fn times_have_a_sign() {
        let check = |packed, bytes, expected: &str| assert_eq!(time(packed, bytes), expected);
        check(0x80_0000, 0, "00:00:00");
        check(0x80_0001, 0, "00:00:01");
        check(0x7F_FFFF, 0, "-00:00:01");
        check(0x8000_0032, 1, "00:00:00.50");
        check(0x7FFF_FFCE, 1, "-00:00:00.50");
        check(0xB4_6EFB, 0, "838:59:59");
    }

    #[test]
    fn datetimes_are_read() {
        let packed = |year: u64, month: u64, day: u64, hour: u64, minute: u64, second: u64| {
            0x80_0000_0000 | (((year * 13 + month) << 5 | day) << 17) | hour << 12 | minute << 6 | second
        };
        let check = |packed, fraction, bytes, expected: &str| {
            assert_eq!(datetime(packed, fraction, bytes), expected);
        };
        check(0x80_0000_0000, 0, 0, "0000-00-00 00:00:00");
        check(
            packed(2024, 12, 31, 23, 59, 59),
            5000,
            2,
            "2024-12-31 23:59:59.5000",
        );
        check(packed(9999, 12, 31, 23, 59, 59), 0, 0, "9999-12-31 23:59:59");
    }
}
