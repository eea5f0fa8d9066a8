// A C++ program of templates, containers and exceptions: it parses, sorts, counts and throws.
#include <algorithm>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace work {

struct Guard {
	std::vector<int> held;
	explicit Guard(int size) : held(size, size) {}
	~Guard() { std::fill(held.begin(), held.end(), 0); }
};

struct Shape {
	virtual ~Shape() = default;
	virtual double area(double side) const = 0;
};

struct Square final : Shape {
	double area(double side) const override { return side * side; }
};

template <typename Number> struct Polygon final : Shape {
	Number sides;
	explicit Polygon(Number count) : sides(count) {}
	__attribute__((noinline)) double area(double side) const override
	{
		double sum = 0;

		for (Number i = 1; i < sides; i++)
			sum += side / (i + side);
		return sum;
	}
};

__attribute__((noinline)) int parse(const std::string &text, int depth)
{
	Guard guard(16);

	if (depth > 0)
		return parse(text, depth - 1) + 1;
	if (text.size() % 3 == 0)
		throw std::invalid_argument(text);
	return std::stoi(text);
}

__attribute__((noinline)) int forgiving(const std::string &text)
{
	try {
		return parse(text, 8);
	} catch (const std::exception &error) {
		return static_cast<int>(std::string(error.what()).size());
	}
}

__attribute__((noinline)) std::map<std::string, int> counted(int seed)
{
	std::map<std::string, int> words;

	for (int i = 0; i < 400; i++)
		words[std::to_string((i * 7919 + seed) % 997)]++;
	return words;
}

__attribute__((noinline)) long sorted(int seed)
{
	std::vector<std::pair<int, std::string>> values;

	for (int i = 0; i < 300; i++)
		values.emplace_back((i * 104729 + seed) % 1009, "value");
	std::stable_sort(values.begin(), values.end());
	return values.front().first;
}

} // namespace work

int main()
{
	std::vector<std::unique_ptr<work::Shape>> shapes;
	volatile double sum = 0;

	shapes.push_back(std::make_unique<work::Square>());
	shapes.push_back(std::make_unique<work::Polygon<int>>(4000));
	for (int turn = 0;; turn++) {
		for (const auto &[word, count] : work::counted(turn % 64))
			sum = sum + work::forgiving(word) * count;
		for (const auto &shape : shapes)
			sum = sum + shape->area(turn);
		sum = sum + work::sorted(turn);
	}
}
