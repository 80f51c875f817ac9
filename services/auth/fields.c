#include "fields.h"

#include <ctype.h>

#include "arena.h"
#include "passwords.h"
#include "utf8.h"

/* The lengths of RFC 5321. */
enum { EMAIL_MAX = 254, LOCAL_PART_MAX = 64, LABEL_MAX = 63 };
/* NIST SP 800-63B: at least 8, room for a sentence, and no rules about what is in it. */
enum { PASSWORD_MIN = 8, PASSWORD_MAX = 128 };

/* --- e-mail addresses: what a browser's <input type=email> takes, and no other, so the page and the API
 * agree --- */

static bool is_local_part(struct str s) {
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '\0' || (!(c < 0x80 && isalnum(c)) && strchr(".!#$%&'*+/=?^_`{|}~-", c) == NULL))
            return false;
    }
    return s.n > 0 && s.n <= LOCAL_PART_MAX;
}

static bool is_label(struct str s) {
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (!(c < 0x80 && isalnum(c)) && c != '-') return false;
    }
    return s.n > 0 && s.n <= LABEL_MAX && s.p[0] != '-' && s.p[s.n - 1] != '-';
}

static bool is_domain(struct str s) {
    for (const char *dot; (dot = memchr(s.p, '.', s.n)) != NULL;) {
        size_t n = (size_t)(dot - s.p);
        if (!is_label((struct str){s.p, n})) return false;
        s = (struct str){dot + 1, s.n - n - 1};
    }
    return is_label(s);
}

static bool is_email(struct str s) {
    const char *at = s.n > EMAIL_MAX ? NULL : memchr(s.p, '@', s.n);
    if (at == NULL) return false;
    size_t n = (size_t)(at - s.p);
    return is_local_part((struct str){s.p, n}) && is_domain((struct str){at + 1, s.n - n - 1});
}

static const char *read_email(const json_t *value, void *out, struct arena *arena) {
    struct str email;
    if (body_text(value, &email, arena) != NULL || !is_email(email)) return "must be an e-mail address";
    *(struct str *)out = email;
    return NULL;
}

/* --- passwords --- */

static const char *read_new_password(const json_t *value, void *out, struct arena *arena) {
    struct str password;
    const char *error = body_text(value, &password, arena);
    if (error != NULL) return error;
    password = passwords_normal(arena, password);
    size_t length = utf8_length(password);
    if (length < PASSWORD_MIN || length > PASSWORD_MAX) return "must have 8 to 128 characters";
    if (passwords_is_common(password))
        return "is one of the most common passwords; choose one that nobody else would";
    *(struct str *)out = password;
    return NULL;
}

/* --- passkeys --- */

enum { SAID_MAX = 4096, NAME_MAX = 60 };

/* As browsers' WebAuthn has it. */
static const char *read_bytes(const json_t *value, void *out, struct arena *arena) {
    struct str text;
    size_t n;
    if (body_text(value, &text, arena) != NULL || text.n == 0 || text.n > BASE64_TEXT(SAID_MAX))
        return "must be in base64url";
    uint8_t *bytes = arena_alloc(arena, SAID_MAX);
    if (!base64_decode(text, bytes, SAID_MAX, &n)) return "must be in base64url";
    *(struct str *)out = (struct str){(const char *)bytes, n};
    return NULL;
}

static const char *read_name(const json_t *value, void *out, struct arena *arena) {
    struct str name;
    const char *error = body_text(value, &name, arena);
    if (error != NULL) return error;
    size_t length = utf8_length(name);
    if (length < 1 || length > NAME_MAX) return "must have 1 to 60 characters";
    *(struct str *)out = name;
    return NULL;
}

const struct body_field new_passkey_fields[] = {
    {"currentPassword", body_text, offsetof(struct passkey_sent, current_password), true},
    {"code", body_text, offsetof(struct passkey_sent, code), false},
    {"name", read_name, offsetof(struct passkey_sent, name), true},
    {"clientDataJSON", read_bytes, offsetof(struct passkey_sent, said.client_data), true},
    {"authenticatorData", read_bytes, offsetof(struct passkey_sent, said.authenticator), true},
    {0},
};

const struct body_field passkey_sign_in_fields[] = {
    {"credentialId", read_bytes, offsetof(struct passkey_sent, credential), true},
    {"clientDataJSON", read_bytes, offsetof(struct passkey_sent, said.client_data), true},
    {"authenticatorData", read_bytes, offsetof(struct passkey_sent, said.authenticator), true},
    {"signature", read_bytes, offsetof(struct passkey_sent, said.signature), true},
    {0},
};

/* --- the bodies --- */

const struct body_field sign_up_fields[] = {
    {"email", read_email, offsetof(struct credentials, email), true},
    {"password", read_new_password, offsetof(struct credentials, password), true},
    {0},
};

const struct body_field sign_in_fields[] = {
    {"email", read_email, offsetof(struct credentials, email), true},
    {"password", body_text, offsetof(struct credentials, password), true},
    {"code", body_text, offsetof(struct credentials, code), false},
    {0},
};

const struct body_field change_fields[] = {
    {"email", read_email, offsetof(struct change, email), false},
    {"password", read_new_password, offsetof(struct change, password), false},
    {"currentPassword", body_text, offsetof(struct change, current_password), true},
    {0},
};

const struct body_field current_fields[] = {
    {"currentPassword", body_text, offsetof(struct change, current_password), true},
    {"code", body_text, offsetof(struct change, code), false},
    {0},
};

const struct body_field confirm_fields[] = {
    {"code", body_text, offsetof(struct change, code), true},
    {0},
};

const struct body_field lost_fields[] = {
    {"email", read_email, offsetof(struct credentials, email), true},
    {0},
};

const struct body_field verify_fields[] = {
    {"token", body_text, offsetof(struct following, token), true},
    {0},
};

const struct body_field reset_fields[] = {
    {"token", body_text, offsetof(struct following, token), true},
    {"password", read_new_password, offsetof(struct following, password), true},
    {0},
};
