#include "kernel/drivers/rtc.h"

#include "kernel/arch/x86.h"

namespace {

enum Register : uint8_t {
    kSeconds = 0,
    kMinutes = 2,
    kHours = 4,
    kDay = 7,
    kMonth = 8,
    kYear = 9,
    kStatusA = 10,
    kStatusB = 11,
};
constexpr uint8_t kUpdateInProgress = 0x80;          // in status A
constexpr uint8_t kBinary = 0x04, k24Hours = 0x02;   // in status B
constexpr uint8_t kAfternoon = 0x80;                 // in the hours of a 12-hour clock

uint8_t read_register(Register index) {
    x86::outb(0x70, index);
    return x86::inb(0x71);
}

struct Reading {
    uint8_t second, minute, hour, day, month, year;
    bool operator==(const Reading&) const = default;
};

Reading read_once() {
    for (int i = 0; i < 100000 && (read_register(kStatusA) & kUpdateInProgress) != 0; i++) {
    }
    return {read_register(kSeconds), read_register(kMinutes), read_register(kHours),
            read_register(kDay),     read_register(kMonth),   read_register(kYear)};
}

uint8_t from_bcd(uint8_t value) {
    return static_cast<uint8_t>((value >> 4) * 10 + (value & 15));
}

Reading normalize(Reading r, uint8_t status) {
    bool afternoon = (status & k24Hours) == 0 && (r.hour & kAfternoon) != 0;
    if ((status & k24Hours) == 0) r.hour &= static_cast<uint8_t>(~kAfternoon);
    if ((status & kBinary) == 0)
        r = {from_bcd(r.second), from_bcd(r.minute), from_bcd(r.hour),
             from_bcd(r.day),    from_bcd(r.month),  from_bcd(r.year)};
    if ((status & k24Hours) == 0) r.hour = static_cast<uint8_t>(r.hour % 12 + (afternoon ? 12 : 0));
    return r;
}

// Days from 1970-01-01, proleptic Gregorian, by counting years from March so that the leap
// day is a year's last.
int64_t days_since_1970(int64_t year, int month, int day) {
    if (month <= 2) year--;
    int64_t month_from_march = (month + 9) % 12;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    return year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719468;
}

}  // namespace

uint64_t rtc_read() {
    // Twice the same, or an update came in between.
    Reading reading = read_once();
    for (int i = 0; i < 10; i++) {
        Reading again = read_once();
        if (again == reading) break;
        reading = again;
    }
    Reading r = normalize(reading, read_register(kStatusB));
    int64_t days = days_since_1970(2000 + r.year, r.month, r.day);
    return static_cast<uint64_t>(days) * 86400 + r.hour * 3600u + r.minute * 60u + r.second;
}
