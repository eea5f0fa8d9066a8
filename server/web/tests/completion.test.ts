import assert from "node:assert/strict";
import { test } from "node:test";
import { complete, completionAt, fitting, operatorsFrom } from "../src/lib/completion";

/** The caret stands at the bar. */
function at(marked: string) {
  const caret = marked.indexOf("|");
  return completionAt(marked.replace("|", ""), caret);
}

const wants = (marked: string) => {
  const { wants, of, label, typed } = at(marked);
  return [wants, of, label, typed];
};

test("a type is wanted before the brace, a label behind it and behind a comma", () => {
  assert.deepEqual(wants("off|"), ["type", "", "", "off"]);
  assert.deepEqual(wants("cpu{|"), ["label", "cpu", "", ""]);
  assert.deepEqual(wants('cpu{a="b",ser|'), ["label", 'cpu{a="b"}', "", "ser"]);
  assert.deepEqual(wants('cpu{a="b, c" , |}'), ["label", 'cpu{a="b, c" }', "", ""]);
});

test("an operator follows a label, a value the operator", () => {
  assert.deepEqual(wants("cpu{a |"), ["operator", "cpu", "a", ""]);
  assert.deepEqual(wants("cpu{a!|"), ["operator", "cpu", "a", "!"]);
  assert.deepEqual(wants("cpu{a=|"), ["value", "cpu", "a", ""]);
  assert.deepEqual(wants('cpu{a=~"x|"}'), ["value", "cpu", "a", "x"]);
  assert.deepEqual(wants('cpu{a="x"|'), ["nothing", "cpu", "", ""]);
  assert.deepEqual(wants('cpu{a="x"} |'), ["nothing", "cpu", "", ""]);
});

function taken(marked: string, option: string): string {
  const { text, caret } = complete(marked.replace("|", ""), at(marked), option);
  return `${text.slice(0, caret)}|${text.slice(caret)}`;
}

test("a suggestion takes the place of what is typed, in quotes where it must", () => {
  assert.equal(taken("of|", "off_cpu"), "off_cpu|");
  assert.equal(taken("c|pu", "off_cpu"), "off_cpu|");
  assert.equal(taken('cpu{x="1",se|}', "service_name"), 'cpu{x="1",service_name=|}');
  assert.equal(taken("cpu{a!|", "!~"), "cpu{a!~|}");
  assert.equal(taken("cpu{a=|", "b"), 'cpu{a="b"|}');
  assert.equal(taken('cpu{a="x|"}', "xy"), 'cpu{a="xy"|}');
  assert.equal(taken('cpu{a="x|', 'quo"te\\'), 'cpu{a="quo\\"te\\\\"|}');
});

test("what begins as typed stands first", () => {
  assert.deepEqual(fitting(["abc", "cab", "CA"], "ca"), ["cab", "CA"]);
  assert.deepEqual(fitting(["xa", "ab", "b"], "a"), ["ab", "xa"]);
  assert.deepEqual(operatorsFrom("!"), ["!=", "!~"]);
  assert.deepEqual(operatorsFrom("=~"), ["=~"]);
});
