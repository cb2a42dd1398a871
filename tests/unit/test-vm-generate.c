/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a profile warns of, by versions; the words and comments that are generated. */
#include "config.h"

#include <string.h>

#include "core/known-bad.h"
#include "core/template.h"
#include "unit.h"
#include "vm/generate.h"
#include "vm/xml.h"

static void known_bad_combinations(void **state G_GNUC_UNUSED)
{
	static const struct {
		const char *match, *driver, *firmware;
		enum mp_applies applies;
	} cases[] = {
		{ "driver<1.5.6", "1.4.16", NULL, MP_APPLIES_YES },
		{ "driver<1.5.6", "1.5.6", NULL, MP_APPLIES_NO },
		{ "driver<1.5.6", "1.10.0", NULL, MP_APPLIES_NO },
		{ "driver<1.5.6", NULL, "1.6.0", MP_APPLIES_MAYBE },
		{ "driver<=1.5.6", "1.5.6", NULL, MP_APPLIES_YES },
		{ "driver>1.5.6", "1.5.6", NULL, MP_APPLIES_NO },
		{ "driver>=1.5.6", "1.5.6", NULL, MP_APPLIES_YES },
		{ "driver=1.5.6", "1.5.6", NULL, MP_APPLIES_YES },
		{ "driver=1.5.6", "1.5.7", NULL, MP_APPLIES_NO },
		{ "driver>=1.5.6 firmware<1.7.0", "1.5.7", "1.6.0", MP_APPLIES_YES },
		{ "driver>=1.5.6 firmware<1.7.0", "1.5.7", "1.7.0", MP_APPLIES_NO },
		{ "driver>=1.5.6 firmware<1.7.0", "1.5.7", NULL, MP_APPLIES_MAYBE },
		/* What is known excludes it. */
		{ "driver>=1.5.6 firmware<1.7.0", "1.4.16", NULL, MP_APPLIES_NO },
		{ "sdk<1.7 kernel>=6.8", "1.4.16", "1.6.0", MP_APPLIES_MAYBE },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const struct mp_known_bad bad = { .what = (char *)cases[i].match };
		const struct mp_versions versions = {
			.driver = cases[i].driver,
			.firmware = cases[i].firmware,
		};

		if (mp_known_bad_applies(&bad, &versions) != cases[i].applies)
			fail_msg("%s, driver %s, firmware %s", cases[i].match,
				cases[i].driver, cases[i].firmware);
	}
}

static void comments_are_wrapped(void **state G_GNUC_UNUSED)
{
	g_autofree char *once = mp_template_comment("# - ", "#   ", "one  two\nthree");
	g_autofree char *word = g_strnfill(100, 'x');
	g_autofree char *text = g_strdup_printf("a %s b", word);
	g_autofree char *expected = g_strdup_printf("# a\n# %s\n# b\n", word);
	g_autofree char *longer = mp_template_comment("# ", "# ", text);

	assert_string_equal(once, "# - one two three\n");
	assert_string_equal(longer, expected);
}

static xmlDoc *parse(const char *text)
{
	xmlDoc *doc = mp_xml_parse("test", text, strlen(text), NULL);

	assert_non_null(doc);
	return doc;
}

static void documents_keep_their_shape(void **state G_GNUC_UNUSED)
{
	static const char text[] = "<!-- a -->\n<a>\n  <b c='1'>t &amp; u</b>\n</a>\n";
	g_autoptr(mp_xml) doc = parse(text);
	g_autoptr(mp_xml) narrow = parse("<a><b/></a>");
	xmlNode *root = mp_xml_root(doc);
	xmlNode *added = mp_xml_add(root, "d");
	g_autofree char *value = mp_xml_text(mp_xml_child(root, "b"));
	g_autofree char *none = mp_xml_get(mp_xml_child(root, "x"), "c");

	assert_string_equal(value, "t & u");
	assert_null(none);
	mp_xml_set(added, "e", "<&'\"");
	mp_xml_add_comment(added, "never -- closed -->");
	g_autofree char *out = mp_xml_write(doc);
	assert_string_equal(out, "<!-- a -->\n<a>\n  <b c=\"1\">t &amp; u</b>\n"
				 "  <d e=\"&lt;&amp;'&quot;\">\n"
				 "    <!-- never - - closed - -> -->\n  </d>\n</a>\n");
	mp_xml_remove(added);
	mp_xml_set_text(mp_xml_child(root, "b"), "x < &lt;");
	g_autofree char *less = mp_xml_write(doc);
	assert_string_equal(
		less, "<!-- a -->\n<a>\n  <b c=\"1\">x &lt; &amp;lt;</b>\n</a>\n");
	mp_xml_add(mp_xml_root(narrow), "c");
	g_autofree char *line = mp_xml_write(narrow);
	assert_string_equal(line, "<a><b/><c/></a>\n");
}

static void documents_that_are_none(void **state G_GNUC_UNUSED)
{
	static const char *const texts[] = { "", "x", "<a>", "<a></b>", "<a b=c/>",
		"<!DOCTYPE a><a/>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>" };

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(GError) error = NULL;

		assert_null(mp_xml_parse("f.xml", texts[i], strlen(texts[i]), &error));
		assert_non_null(error);
		assert_non_null(strstr(error->message, "f.xml"));
		assert_null(strchr(error->message, '\n'));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_bad_combinations),
		cmocka_unit_test(comments_are_wrapped),
		cmocka_unit_test(documents_keep_their_shape),
		cmocka_unit_test(documents_that_are_none),
	};

	return cmocka_run_group_tests_name("vm-generate", tests, NULL, NULL);
}
