// The reader of examples/train_reranker: what it takes, and with which words it refuses the rest.
#include "reader.hpp"
#include "support/catch.hpp"

#include <cstdlib>
#include <fstream>
#include <random>

namespace {

namespace fs = std::filesystem;
using reranker::read_rows;
using reranker::Rows;

/// A folder of its own that goes when the test ends.
class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / ("rankgrad-reader-" + std::to_string(std::random_device{}()))) {
    fs::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  fs::path write(const std::string& name, std::string_view content) const {
    std::ofstream(path_ / name, std::ios::binary) << content;
    return path_ / name;
  }
  fs::path path(const std::string& name) const { return path_ / name; }

 private:
  fs::path path_;
};

/// The message of the refusal, without the folder; empty where the file is read.
std::string refusal(const Folder& folder, const fs::path& file) {
  try {
    (void)read_rows(file);
  } catch (const reranker::InputError& error) {
    std::string message = error.what();
    const std::string prefix = folder.path("").string();
    for (std::size_t at; (at = message.find(prefix)) != std::string::npos;) message.erase(at, prefix.size());
    return message;
  }
  return {};
}
std::string refusal(std::string_view content) {
  const Folder folder;
  return refusal(folder, folder.write("a.txt", content));
}

Rows read(std::string_view content) {
  const Folder folder;
  return read_rows(folder.write("a.txt", content));
}

using Sizes = std::vector<std::uint32_t>;
using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("reader: LETOR rows") {
  const Rows rows = read("2 qid:10 1:0.5 3:-1e-3 #docid = GX029 inc = 0.01\n"
                         "0 qid:10 2:4 # docid = GX030\n"
                         "1 qid:7 1:1\n");
  CHECK(rows.labels == std::vector<float>{2, 0, 1});
  CHECK(rows.offsets == Sizes{0, 2, 3});
  CHECK(rows.queries == Names{"10", "7"});
  CHECK(rows.documents == Names{"GX029", "GX030", "d3"});
  REQUIRE(rows.row(0).size() == 2);
  CHECK(rows.row(0)[1].feature == 3);
  CHECK(rows.row(0)[1].value == -1e-3f);
  CHECK(rows.row(1)[0].feature == 2);
  CHECK(rows.notes.empty());
}

TEST_CASE("reader: layouts that look odd and are fine") {
  const std::string_view plain = "1 qid:a 1:2 2:3\n0 qid:a 1:4\n1 qid:b 2:5\n";
  const auto same_as_plain = [&](std::string_view content) {
    const Rows a = read(plain), b = read(content);
    const auto same = [](const reranker::Entry& x, const reranker::Entry& y) { return x.feature == y.feature && x.value == y.value; };
    return a.labels == b.labels && a.offsets == b.offsets && a.queries == b.queries && a.row_begin == b.row_begin &&
           std::equal(a.entries.begin(), a.entries.end(), b.entries.begin(), b.entries.end(), same);
  };
  CHECK(same_as_plain("1 qid:a 1:2 2:3\n0 qid:a 1:4\n1 qid:b 2:5"));                    // no newline at the end
  CHECK(same_as_plain("1 qid:a 1:2 2:3\r\n0 qid:a 1:4\r\n1 qid:b 2:5\r\n"));            // CRLF
  CHECK(same_as_plain("\n# a comment\n1 qid:a 1:2 2:3\n\n  \t\n0 qid:a 1:4\n1 qid:b 2:5\n\n"));
  CHECK(same_as_plain("\t1\tqid:a  1:2\t2:3 \n 0 qid:a 1:4\n1 qid:b 2:5 #\n"));
  CHECK(same_as_plain("+1 qid:a 1:+2 2:3\n-0 qid:a 1:4e0\n1.0 qid:b 2:5.\n"));
  CHECK(same_as_plain("1 qid:a 2:3 1:2\n0 qid:a 1:4\n1 qid:b 2:5\n"));                  // unsorted
  CHECK(same_as_plain("\xEF\xBB\xBF" "1 qid:a 1:2 2:3\n0 qid:a 1:4\n1 qid:b 2:5\n"));   // byte order mark
}

TEST_CASE("reader: queries of one document, without a relevant one, rows without features") {
  const Rows rows = read("0 qid:1\n0 qid:1\n3 qid:2\n0 qid:3 5:1\n");
  CHECK(rows.offsets == Sizes{0, 2, 3, 4});
  CHECK(rows.row(0).empty());
  CHECK(rows.row(3).size() == 1);
}

TEST_CASE("reader: labels may be real; below 0 counts as 0 and is told") {
  const Rows rows = read("0.25 qid:1 1:1\n-2 qid:1 1:1\n-1 qid:1 1:1\n1e3 qid:1 1:1\n");
  CHECK(rows.labels == std::vector<float>{0.25f, 0, 0, 1000});
  REQUIRE(rows.notes.size() == 1);
  CHECK(rows.notes[0].find("2 labels below 0 count as 0") != std::string::npos);
}

TEST_CASE("reader: a repeated feature index takes its last value and is told") {
  const Rows rows = read("1 qid:1 7:1 2:5 7:2 7:3 2:6\n0 qid:1 2:1\n");
  REQUIRE(rows.row(0).size() == 2);
  CHECK(rows.row(0)[0].feature == 2);
  CHECK(rows.row(0)[0].value == 6);
  CHECK(rows.row(0)[1].feature == 7);
  CHECK(rows.row(0)[1].value == 3);
  REQUIRE(rows.row(1).size() == 1);
  REQUIRE(rows.notes.size() == 1);
  CHECK(rows.notes[0].find("3 times a feature index is repeated") != std::string::npos);
}

TEST_CASE("reader: sizes beside the rows") {
  const Folder folder;
  const auto file = folder.write("a.train", "1 1:2\n0 1:3\n0 0:1\n2 4294967295:1");
  SECTION("LightGBM's .query, without a last newline, with blank lines and CRLF") {
    folder.write("a.train.query", "3\r\n\n1");
    const Rows rows = read_rows(file);
    CHECK(rows.offsets == Sizes{0, 3, 4});
    CHECK(rows.queries == Names{"1", "2"});
    CHECK(rows.row(3)[0].feature == 4294967295u);
  }
  SECTION("XGBoost's .group") {
    folder.write("a.train.group", "1\n3\n");
    CHECK(read_rows(file).offsets == Sizes{0, 1, 4});
  }
  SECTION("sizes of 0 are left out and told") {
    folder.write("a.train.query", "0\n4\n0\n");
    const Rows rows = read_rows(file);
    CHECK(rows.offsets == Sizes{0, 4});
    CHECK(rows.queries == Names{"2"});
    CHECK(rows.notes.size() == 1);
  }
  SECTION("too few") {
    folder.write("a.train.query", "1\n2\n");
    CHECK(refusal(folder, file) == "a.train.query:2: the sizes add up to 3, but a.train has 4 rows");
  }
  SECTION("too many") {
    folder.write("a.train.query", "3\n2\n1\n");
    CHECK(refusal(folder, file) == "a.train.query:2: the sizes up to here add up to 5, but a.train has 4 rows");
  }
  SECTION("not a size") {
    folder.write("a.train.query", "3\n-1\n");
    CHECK(refusal(folder, file) == "a.train.query:2: '-1' is not a number of rows");
  }
  SECTION("beyond 32 bits") {
    folder.write("a.train.query", "4294967296\n");
    CHECK(refusal(folder, file) == "a.train.query:1: '4294967296' is not a number of rows");
  }
  SECTION("missing") {
    CHECK(refusal(folder, file).find("no qid, and there is neither a.train.query nor a.train.group") != std::string::npos);
  }
}

TEST_CASE("reader: qid stands before sizes") {
  const Folder folder;
  folder.write("a.txt.query", "1\n1\n");
  CHECK(read_rows(folder.write("a.txt", "1 qid:1 1:2\n0 qid:1 1:3\n")).offsets == Sizes{0, 2});
}

TEST_CASE("reader: refusals name the file, the line and the reason") {
  CHECK(refusal("1 qid:1 1:2\n0 qid:2 1:1\n0 qid:2 1:1\n1 qid:1 1:3\n") ==
        "a.txt:4: qid 1 comes back after other queries; its rows ended at line 1. Sort the file by qid");
  CHECK(refusal("1 qid:1 1:2\n0 1:3\n") == "a.txt:2: the row lacks a qid, the first row (line 1) has one");
  CHECK(refusal("\n1 1:2\n0 qid:1 1:3\n") == "a.txt:3: the row has a qid, the first row (line 2) has none");
  CHECK(refusal("1 qid:1 qid:2 1:2\n") == "a.txt:1: a second qid in one row");
  CHECK(refusal("1 qid: 1:2\n") == "a.txt:1: qid is empty");
  CHECK(refusal("label qid:1 1:2\n") == "a.txt:1: label 'label' is not a number");
  CHECK(refusal("1 qid:1 1:2\nnan qid:1 1:2\n") == "a.txt:2: label 'nan' is not finite");
  CHECK(refusal("1 qid:1 1:inf\n") == "a.txt:1: the value of feature 1, 'inf' is not finite");
  CHECK(refusal("1 qid:1 1:-NaN\n") == "a.txt:1: the value of feature 1, '-NaN' is not finite");
  CHECK(refusal("1 qid:1 1:3.5e38\n") == "a.txt:1: the value of feature 1, '3.5e38' is beyond the range of float");
  CHECK(refusal("1 qid:1 1:-1e999\n") == "a.txt:1: the value of feature 1, '-1e999' is beyond the range of float");
  CHECK(refusal("1e39 qid:1 1:1\n") == "a.txt:1: label '1e39' is beyond the range of float");
  CHECK(refusal("1 qid:1 1:\n") == "a.txt:1: the value of feature 1, '' is not a number");
  CHECK(refusal("1 qid:1 1:2x\n") == "a.txt:1: the value of feature 1, '2x' is not a number");
  CHECK(refusal("1 qid:1 1:+-2\n") == "a.txt:1: the value of feature 1, '+-2' is not a number");
  CHECK(refusal("1 qid:1 1:0,5\n") == "a.txt:1: the value of feature 1, '0,5' is not a number");
  CHECK(refusal("1 qid:1 12\n") == "a.txt:1: '12' is not FEATURE:VALUE");
  CHECK(refusal("1 qid:1 -1:2\n") == "a.txt:1: feature index '-1' in '-1:2' is not a whole number from 0 to 4294967295");
  CHECK(refusal("1 qid:1 4294967296:2\n").find("a.txt:1: feature index '4294967296'") == 0);
  CHECK(refusal("1 qid:1 1.5:2\n").find("a.txt:1: feature index '1.5'") == 0);
  CHECK(refusal("1 qid:1 :2\n").find("a.txt:1: feature index ''") == 0);
  CHECK(refusal("") == "a.txt: has no rows");
  CHECK(refusal("# nothing\n\n") == "a.txt: has no rows");
}

TEST_CASE("reader: tiny values are fine, and round to what float has") {
  const Rows rows = read("1 qid:1 1:1e-45 2:1e-300 3:-1e-40\n");
  CHECK(rows.row(0)[0].value > 0);
  CHECK(rows.row(0)[1].value == 0);
  CHECK(rows.row(0)[2].value < 0);
}

TEST_CASE("reader: files that cannot be read") {
  const Folder folder;
  CHECK(refusal(folder, folder.path("missing.txt")) == "missing.txt: cannot be opened for reading");
  fs::create_directories(folder.path("folder"));
  CHECK(refusal(folder, folder.path("folder")) == "folder: is a directory, not a file of rows");
}

TEST_CASE("rows: a split keeps queries whole, is a matter of the seed, and loses nothing") {
  std::string content;
  for (int q = 0; q < 20; ++q)
    for (int d = 0; d <= q % 4; ++d) content += std::to_string(d % 2) + " qid:" + std::to_string(q) + " 1:" + std::to_string(q) + "\n";
  const Rows rows = read(content);
  const auto split = reranker::split_by_query(rows, 0.25, 7), again = reranker::split_by_query(rows, 0.25, 7);
  CHECK(split.part.queries.size() == 5);
  CHECK(split.rest.queries.size() == 15);
  CHECK(split.part.queries == again.part.queries);
  CHECK(split.part.queries != reranker::split_by_query(rows, 0.25, 8).part.queries);
  CHECK(split.part.size() + split.rest.size() == rows.size());
  for (const Rows* part : {&split.part, &split.rest})
    for (std::size_t q = 0; q < part->queries.size(); ++q) {
      const int name = std::stoi(part->queries[q]);
      CHECK(part->offsets[q + 1] - part->offsets[q] == static_cast<std::uint32_t>(name % 4 + 1));
      for (std::size_t r = part->offsets[q]; r < part->offsets[q + 1]; ++r) CHECK(part->row(r)[0].value == static_cast<float>(name));
    }
}
