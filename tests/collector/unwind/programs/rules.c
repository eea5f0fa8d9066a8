/* [burn <-] the rule that the argument names <- caller <- main */
#include <stdio.h>
#include <string.h>
#include "burn.h"

typedef void rule(void (*)(void));

rule rule_deref_sp, rule_deref_indexed, rule_register, rule_return_in_register, rule_stub_before,
	rule_stub_after, rule_expression, rule_none;

static const struct {
	const char *name;
	rule *code;
} rules[] = {
	{"deref_sp", rule_deref_sp},
	{"deref_indexed", rule_deref_indexed},
	{"register", rule_register},
	{"return_in_register", rule_return_in_register},
	{"stub_before", rule_stub_before},
	{"stub_after", rule_stub_after},
	{"expression", rule_expression},
	{"none", rule_none},
};

__attribute__((noinline, noclone)) void caller(rule *code)
{
	code(burn);
	CALLED();
}

int main(int count, char **arguments)
{
	(void)count;
	for (unsigned i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		if (!strcmp(rules[i].name, arguments[1]))
			caller(rules[i].code);
	CALLED();
	return 1;
}
