/*
 * The cryptography of a contract, in one process, through libcrypto: what is left when no program has to be started.
 *
 *   library tokens PREFIX KEY WRAPPED SEALED [WRAPPED SEALED]...   as `openssl pkeyutl -decrypt`, `openssl enc -d`
 *   library argon2id MEMORY_KIB PASSES LANES                       the key derivation of a LUKS2 volume
 *
 * Measures only; it does not show or keep what it decrypts. Formats: PKCS#1 v1.5, `Salted__` and 8 bytes of salt,
 * PBKDF2-HMAC-SHA-256 with 10000 iterations, AES-256-CBC, a passphrase that ends at the first line feed or NUL.
 */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LIMIT (1 << 20)
#define MAGIC "Salted__"

static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec * 1e3 + at.tv_nsec / 1e6;
}

static void fail(const char *what)
{
	printf("bench: failed=%s\n", what);
	exit(1);
}

static void print(const char *prefix, const char *name, double ms)
{
	printf("bench: name=%s%s ms=%.1f\n", prefix, name, ms);
}

static size_t contents(const char *path, unsigned char *bytes)
{
	FILE *file = fopen(path, "rb");
	size_t length;

	if (!file)
		fail(path);
	length = fread(bytes, 1, LIMIT, file);
	fclose(file);
	return length;
}

static EVP_PKEY *key_of(const char *path)
{
	FILE *file = fopen(path, "rb");
	EVP_PKEY *key = file ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;

	if (!key)
		fail("key");
	fclose(file);
	return key;
}

static int unwrap(EVP_PKEY *key, const char *path, unsigned char *passphrase)
{
	static unsigned char wrapped[LIMIT];
	size_t length = LIMIT, wrapped_length = contents(path, wrapped), end = 0;
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);

	if (!context || EVP_PKEY_decrypt_init(context) <= 0 ||
	    EVP_PKEY_decrypt(context, passphrase, &length, wrapped, wrapped_length) <= 0)
		fail("rsa");
	EVP_PKEY_CTX_free(context);
	while (end < length && passphrase[end] != '\n' && passphrase[end] != 0)
		end++;
	return end;
}

static void unseal(const char *path, const unsigned char *passphrase, int length, double *pbkdf2, double *aes)
{
	static unsigned char sealed[LIMIT], plain[LIMIT + EVP_MAX_BLOCK_LENGTH];
	const int head = sizeof(MAGIC) - 1 + 8;
	int sealed_length = contents(path, sealed), plain_length, last;
	unsigned char derived[48];
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	double begun = now();

	if (sealed_length < head || memcmp(sealed, MAGIC, sizeof(MAGIC) - 1) != 0)
		fail("salt");
	if (PKCS5_PBKDF2_HMAC((const char *)passphrase, length, sealed + 8, 8, 10000, EVP_sha256(), sizeof(derived),
			      derived) != 1)
		fail("pbkdf2");
	*pbkdf2 += now() - begun;
	begun = now();
	if (!context || EVP_DecryptInit(context, EVP_aes_256_cbc(), derived, derived + 32) != 1 ||
	    EVP_DecryptUpdate(context, plain, &plain_length, sealed + head, sealed_length - head) != 1 ||
	    EVP_DecryptFinal(context, plain + plain_length, &last) != 1)
		fail("aes");
	EVP_CIPHER_CTX_free(context);
	*aes += now() - begun;
}

static void tokens(int count, char **words)
{
	static unsigned char passphrase[LIMIT];
	double begun = now(), rsa = 0, pbkdf2 = 0, aes = 0, part;
	EVP_PKEY *key = key_of(words[1]);
	double key_ms = now() - begun;

	for (int at = 2; at + 1 < count; at += 2) {
		int length;

		part = now();
		length = unwrap(key, words[at], passphrase);
		rsa += now() - part;
		unseal(words[at + 1], passphrase, length, &pbkdf2, &aes);
	}
	EVP_PKEY_free(key);
	print(words[0], "library", now() - begun);
	print(words[0], "library-key", key_ms);
	print(words[0], "library-rsa", rsa);
	print(words[0], "library-pbkdf2", pbkdf2);
	print(words[0], "library-aes", aes);
}

static void argon2id(char **words)
{
	uint32_t memory = strtoul(words[0], NULL, 10), passes = strtoul(words[1], NULL, 10);
	uint32_t lanes = strtoul(words[2], NULL, 10);
	unsigned char password[64], salt[32], key[64];
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_PASSWORD, password, sizeof(password)),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SALT, salt, sizeof(salt)),
		OSSL_PARAM_uint32(OSSL_KDF_PARAM_ITER, &passes),
		OSSL_PARAM_uint32(OSSL_KDF_PARAM_ARGON2_LANES, &lanes),
		OSSL_PARAM_uint32(OSSL_KDF_PARAM_ARGON2_MEMCOST, &memory),
		OSSL_PARAM_END,
	};
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "ARGON2ID", NULL);
	EVP_KDF_CTX *context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	double begun = now();

	memset(password, 'p', sizeof(password));
	memset(salt, 's', sizeof(salt));
	if (!context || memory == 0 || EVP_KDF_derive(context, key, sizeof(key), parameters) != 1)
		fail("argon2id");
	print("", "argon2id", now() - begun);
}

int main(int count, char **words)
{
	if (count >= 6 && strcmp(words[1], "tokens") == 0)
		tokens(count - 2, words + 2);
	else if (count == 5 && strcmp(words[1], "argon2id") == 0)
		argon2id(words + 2);
	else
		fail("usage");
	return 0;
}
