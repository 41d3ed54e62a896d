// docs/losses.md against the headers and the tests: no public loss or metric without a row, no row without its header, its
// name in there, and a test that names it.
#include "support/catch.hpp"

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;
const fs::path root = RANKGRAD_SOURCE_DIR;

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The cells of the table rows that have this many; \| is no border.
std::vector<std::vector<std::string>> rows_of(const std::string& document, std::size_t columns) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(document);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| ") || line.starts_with("| name") || line.starts_with("| #")) continue;
    std::vector<std::string> cells;
    std::string cell;
    for (std::size_t i = 1; i < line.size(); ++i) {
      if (line[i] == '\\' && i + 1 < line.size()) cell += line[++i];
      else if (line[i] == '|') cells.push_back(std::exchange(cell, {}));
      else cell += line[i];
    }
    for (std::string& c : cells) c = std::regex_replace(c, std::regex("^ +| +$"), "");
    if (cells.size() == columns) rows.push_back(cells);
  }
  return rows;
}

std::vector<std::string> quoted(const std::string& cell) {
  std::vector<std::string> names;
  const std::regex code("`([^`]+)`");
  for (std::sregex_iterator m(cell.begin(), cell.end(), code), end; m != end; ++m) names.push_back((*m)[1]);
  return names;
}

bool mentions(const std::string& text, const std::string& name) {
  return std::regex_search(text, std::regex("\\b" + name + "\\b"));
}

/// A row: the names that a header brings, without the namespaces in front of them.
struct Piece {
  std::vector<std::string> names;
  std::string header, status, source;
  std::vector<std::string> tests;
};
std::vector<Piece> all_pieces() {
  std::vector<Piece> pieces;
  for (const auto& cells : rows_of(text_of(root / "docs/losses.md"), 8)) {
    INFO(cells[0]);
    Piece piece{quoted(cells[0]), "", cells[5], cells[6], quoted(cells[7])};
    REQUIRE_FALSE(piece.names.empty());
    REQUIRE_FALSE(piece.tests.empty());
    REQUIRE(quoted(cells[1]).size() == 1);
    piece.header = quoted(cells[1])[0];
    for (std::string& name : piece.names) name = std::regex_replace(name, std::regex("^.*::"), "");
    pieces.push_back(piece);
  }
  return pieces;
}

}  // namespace

TEST_CASE("every piece in the table of losses stands in its header and in its tests", "[docs]") {
  const std::vector<Piece> pieces = all_pieces();
  REQUIRE(pieces.size() > 40);
  for (const Piece& piece : pieces) {
    INFO(piece.header);
    CHECK(std::regex_search(piece.status, std::regex("^(verified|derived|reconstructed)\\b")));
    CHECK_FALSE(piece.source.empty());
    REQUIRE(fs::exists(root / "include/rankgrad" / piece.header));
    const std::string header = text_of(root / "include/rankgrad" / piece.header);
    std::string tests;
    for (const std::string& test : piece.tests) {
      INFO(test);
      REQUIRE(fs::exists(root / test));
      tests += text_of(root / test);
    }
    for (const std::string& name : piece.names) {
      INFO(name);
      CHECK(std::regex_search(header, std::regex("(struct|class|using|enum class) " + name + "\\b|\\b" + name + "\\(")));
      CHECK(mentions(tests, name));
    }
  }
}

TEST_CASE("every loss and every metric has its row", "[docs]") {
  std::set<std::string> listed;
  for (const Piece& piece : all_pieces())
    for (const std::string& name : piece.names) listed.insert(piece.header + " " + name);
  const std::regex named("struct (\\w+)[^;{}]*\\{[^{}]*?string_view name = \"");
  std::size_t found = 0;
  for (const auto& entry : fs::recursive_directory_iterator(root / "include/rankgrad")) {
    if (entry.path().extension() != ".hpp") continue;
    const std::string header = fs::relative(entry.path(), root / "include/rankgrad").generic_string();
    if (header.starts_with("core/")) continue;   // mixtures of losses
    const std::string text = text_of(entry.path());
    for (std::sregex_iterator m(text.begin(), text.end(), named), end; m != end; ++m, ++found) {
      INFO(header << " has " << (*m)[1]);
      CHECK(listed.contains(header + " " + (*m)[1].str()));
    }
  }
  CHECK(found > 30);
}

TEST_CASE("every system in the table has pieces that are listed, and a test", "[docs]") {
  std::set<std::string> names, numbers;
  for (const Piece& piece : all_pieces()) names.insert(piece.names.begin(), piece.names.end());
  for (const auto& cells : rows_of(text_of(root / "docs/losses.md"), 4)) {
    INFO(cells[0] << " " << cells[1]);
    CHECK(numbers.insert(cells[0]).second);
    CHECK_FALSE(quoted(cells[2]).empty());
    for (const std::string& name : quoted(cells[2])) {
      INFO(name);
      CHECK(names.contains(std::regex_replace(name, std::regex("^.*::"), "")));
    }
    CHECK_FALSE(quoted(cells[3]).empty());
    for (const std::string& test : quoted(cells[3])) {
      INFO(test);
      CHECK(fs::exists(root / test));
    }
  }
  CHECK(numbers.size() == 38);
}
