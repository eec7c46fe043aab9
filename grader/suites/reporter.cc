// main() of every suite program, booted or on the host: runs the GoogleTest tests and writes
// what became of them, a JSON object a line, to the file that MELLO_RESULTS names:
//
//   {"start":"Suite.name"}
//   {"test":"Suite.name","verdict":"PASS","seconds":1.2,"message":"...","properties":{...}}
//
// Written line by line, so that a crash loses one test and not the run. Compiled with and
// without sanitizers, hence on nothing but GoogleTest.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

// Asked by TSan's runtime, where it is linked: a race ends the program at once, so that the
// test that met it is the one that fails.
extern "C" const char* __tsan_default_options() { return "halt_on_error=1"; }

namespace {

std::string json_text(const std::string& text) {
    std::string result = "\"";
    for (char c : text) {
        auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            result += '\\';
            result += c;
        } else if (c == '\n') {
            result += "\\n";
        } else if (byte < 0x20 || byte >= 0x7f) {
            char code[8];
            snprintf(code, sizeof code, "\\u%04x", byte);
            result += code;
        } else {
            result += c;
        }
    }
    return result + "\"";
}

std::string name_of(const testing::TestInfo& test) {
    return std::string(test.test_suite_name()) + "." + test.name();
}

class Reporter : public testing::EmptyTestEventListener {
  public:
    explicit Reporter(const char* path) : file_(fopen(path, "a")) {}

  private:
    void OnTestStart(const testing::TestInfo& test) override {
        line("{\"start\":" + json_text(name_of(test)) + "}");
    }

    void OnTestEnd(const testing::TestInfo& test) override {
        const testing::TestResult& result = *test.result();
        std::map<std::string, std::string> properties;
        for (int i = 0; i < result.test_property_count(); ++i) {
            properties[result.GetTestProperty(i).key()] = result.GetTestProperty(i).value();
        }
        std::string verdict = result.Skipped() ? "SKIPPED" : result.Passed() ? "PASS" : "FAIL";
        if (verdict == "FAIL" && properties.contains("verdict")) verdict = properties["verdict"];
        properties.erase("verdict");
        std::string message;
        for (int i = 0; i < result.total_part_count(); ++i) {
            const testing::TestPartResult& part = result.GetTestPartResult(i);
            if (part.passed()) continue;
            if (part.file_name() == nullptr && part.message()[0] == 0) continue;
            std::string text = part.message();
            if (text.starts_with("Failed\n")) text.erase(0, 7);  // ADD_FAILURE() says so
            message += text;
            if (!message.empty() && message.back() != '\n') message += '\n';
        }
        std::string text = "{\"test\":" + json_text(name_of(test)) +
                           ",\"verdict\":" + json_text(verdict) + ",\"seconds\":" +
                           std::to_string(static_cast<double>(result.elapsed_time()) / 1000) +
                           ",\"message\":" + json_text(message) + ",\"properties\":{";
        bool first = true;
        for (const auto& [key, value] : properties) {
            text += (first ? "" : ",") + json_text(key) + ":" + json_text(value);
            first = false;
        }
        line(text + "}}");
    }

    void line(const std::string& text) {
        if (file_ == nullptr) return;
        fprintf(file_, "%s\n", text.c_str());
        fflush(file_);
    }

    FILE* file_;
};

}  // namespace

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    const char* results = getenv("MELLO_RESULTS");
    if (results != nullptr) {
        testing::UnitTest::GetInstance()->listeners().Append(new Reporter(results));
    }
    return RUN_ALL_TESTS();
}
