// SPDX-License-Identifier: GPL-2.0
/*
 * Output of ebpfsctl: JSON for programs, numbers in units for people.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "ebpfsctl/ctl.h"

#define JSON_FLAGS JSON_C_TO_STRING_NOSLASHESCAPE

void json_print(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object, JSON_FLAGS | JSON_C_TO_STRING_PRETTY |
							    JSON_C_TO_STRING_SPACED));
	json_object_put(object);
}

void json_line(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object, JSON_FLAGS));
	json_object_put(object);
}

void json_add_string(struct json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, value ? json_object_new_string(value) : NULL);
}

void json_add_u64(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

void json_add_bool(struct json_object *object, const char *key, bool value)
{
	json_object_object_add(object, key, json_object_new_boolean(value));
}

void json_add_double(struct json_object *object, const char *key, double value)
{
	char text[TEXT_SIZE];

	/* As many digits as anybody will read. */
	snprintf(text, sizeof(text), "%.6f", value);
	json_object_object_add(object, key, json_object_new_double_s(value, text));
}

char *text_bytes(char *text, uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = bytes;
	int unit = -1;

	while (value >= 1024 && unit < 5) {
		value /= 1024;
		unit++;
	}
	if (unit < 0)
		snprintf(text, TEXT_SIZE, "%" PRIu64 " B", bytes);
	else
		snprintf(text, TEXT_SIZE, "%.*f %s", value < 10 ? 2 : value < 100 ? 1 : 0, value,
			 units[unit]);
	return text;
}

char *text_time(char *text, uint64_t ns)
{
	if (!ns)
		snprintf(text, TEXT_SIZE, "-");
	else if (ns < 1000)
		snprintf(text, TEXT_SIZE, "%" PRIu64 " ns", ns);
	else if (ns < 1000000)
		snprintf(text, TEXT_SIZE, "%.1f us", ns / 1e3);
	else if (ns < 1000000000)
		snprintf(text, TEXT_SIZE, "%.1f ms", ns / 1e6);
	else
		snprintf(text, TEXT_SIZE, "%.2f s", ns / 1e9);
	return text;
}

char *text_share(char *text, double share)
{
	if (share < 0)
		snprintf(text, TEXT_SIZE, "-");
	else
		snprintf(text, TEXT_SIZE, "%.2f %%", share * 100);
	return text;
}
