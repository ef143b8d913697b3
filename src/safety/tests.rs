use proptest::prelude::*;
use serde_json::json;

use super::*;

fn cleaner() -> Cleaner {
    Cleaner::new(Context {
        home: Some("/srv/people/bob".to_owned()),
        held_secrets: vec![
            ("FLYWHEEL_TOKEN".to_owned(), "correct-horse/battery+staple".to_owned()),
            ("SHORT".to_owned(), "abc".to_owned()),
        ],
    })
}

fn scope() -> Scope {
    Scope { repo_root: Some("D:/Agent_Cellphone_V2_Repository".to_owned()) }
}

fn clean(text: &str) -> String {
    let (cleaned, _) = cleaner().clean_text(text, &scope());
    let (again, _) = cleaner().clean_text(&cleaned, &scope());
    assert_eq!(again, cleaned, "twice is once: {text:?}");
    cleaned.into_owned()
}

#[track_caller]
fn check(text: &str, expect: &str) {
    assert_eq!(clean(text), expect, "{text:?}");
}

#[track_caller]
fn stays(text: &str) {
    let (cleaned, found) = cleaner().clean_text(text, &scope());
    assert_eq!((cleaned.as_ref(), found), (text, vec![]));
}

fn clean_json(mut document: serde_json::Value) -> serde_json::Value {
    let scope = Scope::of_session(&document);
    cleaner().clean_json(&mut document, &scope);
    let mut again = document.clone();
    cleaner().clean_json(&mut again, &Scope::default());
    assert_eq!(again, document, "twice is once");
    document
}

/// Made-up values in vendors' formats, put together here so that no scanner takes them for real ones.
fn planted() -> Vec<(&'static str, String)> {
    let letters = "q7Zk2Xv9Lp4Wm8Rt3Bn6Yc1Hd5Jf0GsAeUiOxTzVbNmQwErTyUiOpAs3f7Kd9L2mZ";
    let hex = "9f86d081884c7d659a2feaa0c55ad0153bf4f1b2b0b822cd15d6c15b0f00a08e";
    let take = |n: usize| &letters[..n];
    let upper: String = letters.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_uppercase()).collect();
    vec![
        ("aws-access-key-id", format!("AKIA{}", &upper[..16])),
        ("github-token", format!("ghp_{}", take(36))),
        ("github-token", format!("gho_{}", take(36))),
        ("github-token", format!("ghs_{}", take(36))),
        ("github-token", format!("github_pat_{}_{}", take(22), take(59))),
        ("gitlab-token", format!("glpat-{}", take(20))),
        ("slack-token", format!("xoxb-123456789012-1234567890123-{}", take(24))),
        ("stripe-key", format!("sk_live_{}", take(24))),
        ("stripe-key", format!("rk_test_{}", take(24))),
        ("openai-key", format!("sk-proj-{}", take(48))),
        ("openai-key", format!("sk-{}", take(48))),
        ("anthropic-key", format!("sk-ant-api03-{}-AA", take(60))),
        ("google-api-key", format!("AIza{}", take(35))),
        ("npm-token", format!("npm_{}", take(36))),
        ("pypi-token", format!("pypi-AgEIcHlwaS5vcmc{}", take(60))),
        ("crates-io-token", format!("cio{}", take(32))),
        ("telegram-token", format!("123456789:AA{}", take(33))),
        ("discord-token", format!("MTIz{}.{}.{}", take(20), take(6), take(38))),
        ("twilio-key", format!("SK{}", &hex[..32])),
        ("sendgrid-key", format!("SG.{}.{}", take(22), take(43))),
        ("mailgun-key", format!("key-{}", &hex[..32])),
        ("digitalocean-token", format!("dop_v1_{hex}")),
        ("huggingface-token", format!("hf_{}", take(34))),
        ("notion-token", format!("secret_{}", take(43))),
        ("linear-key", format!("lin_api_{}", take(40))),
        ("databricks-token", format!("dapi{}", &hex[..32])),
        (
            "nats-seed",
            format!("SU{}", "ABCD2EFGH3IJKL4MNOP5QRST6UVWX7YZ".repeat(2).chars().take(56).collect::<String>()),
        ),
        ("terraform-token", format!("{}.atlasv1.{}", take(14), take(64))),
        ("fly-token", format!("fm2_{}", take(60))),
        ("netlify-token", format!("nfp_{}", take(36))),
        ("vercel-token", format!("vcp_{}", take(56))),
        ("supabase-key", format!("sbp_{}", &hex[..40])),
        ("supabase-key", format!("sb_secret_{}", take(31))),
        ("tailscale-key", format!("tskey-auth-{}-{}", take(12), take(32))),
        ("alibaba-access-key-id", format!("LTAI{}", take(20))),
        ("doppler-token", format!("dp.pt.{}", take(43))),
        ("atlassian-token", format!("ATATT3{}{}", take(64), take(64))),
        ("atlassian-token", format!("ATBB{}", take(32))),
        ("circleci-token", format!("CCIPAT_{}_{}", take(22), &hex[..40])),
        ("buildkite-token", format!("bkua_{}", &hex[..40])),
        ("sourcegraph-token", format!("sgp_local_{}", &hex[..40])),
        ("langsmith-key", format!("lsv2_pt_{}_{}", &hex[..32], &hex[..10])),
        ("nvidia-key", format!("nvapi-{}", take(64))),
        ("pinecone-key", format!("pcsk_{}", take(64))),
        ("cerebras-key", format!("csk-{}", &hex[..48])),
        ("tavily-key", format!("tvly-{}", take(32))),
        ("elevenlabs-key", format!("sk_{}", &hex[..48])),
        ("resend-key", format!("re_{}_{}", take(8), take(24))),
        ("posthog-key", format!("phx_{}", take(43))),
        ("typeform-token", format!("tfp_{}", take(56))),
        ("flutterwave-key", format!("FLWSECK_TEST-{}-X", &hex[..32])),
        ("dynatrace-token", format!("dt0c01.{}.{}", &upper[..24], upper.repeat(2)[..64].to_owned())),
        ("jwt", format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.{}", take(43))),
    ]
}

#[test]
fn vendors_tokens_go() {
    for (kind, value) in planted() {
        check(&format!("before {value} after"), &format!("before [redacted:{kind}] after"));
        check(&format!("(\"{value}\")"), &format!("(\"[redacted:{kind}]\")"));
        let (_, found) = cleaner().clean_text(&format!("one\ntwo {value}\n"), &scope());
        assert_eq!(found, [Finding { kind: kind.to_owned(), count: 1, location: "text:2".to_owned() }]);
    }
}

#[test]
fn one_level_of_encoding_hides_nothing() {
    use base64::Engine as _;
    for (kind, value) in planted() {
        let text = format!("the key is {value} ok");
        let encoded = base64::engine::general_purpose::STANDARD.encode(&text);
        check(&format!("blob {encoded}."), &format!("blob [redacted:{kind}]."));
        let percent: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
        assert!(clean(&percent).contains(&format!("[redacted:{kind}]")), "{kind} percent: {}", clean(&percent));
        let escapes: String = value.chars().map(|c| format!("\\u{:04X}", u32::from(c))).collect();
        check(&format!("x {escapes} y"), &format!("x [redacted:{kind}] y"));
    }
}

#[test]
fn values_beside_key_words_go() {
    check("password=hunter2!", "password=[redacted:secret-assignment]");
    check(
        "CLOUDFLARE_API_TOKEN=qYGTVPWEdgjuWa8mRVtLLCWPgEuxqyhxEykCpZj6",
        "CLOUDFLARE_API_TOKEN=[redacted:secret-assignment]",
    );
    stays("token = getUserAccountTransactionHistoryByIdentifier2");
    check("DB_PASSWORD: 'Summer2024!x'", "DB_PASSWORD: '[redacted:secret-assignment]'");
    check(r#"{"api_key": "9f8e7d6c5b4a39281706"}"#, r#"{"api_key": "[redacted:secret-assignment]"}"#);
    check("export API_TOKEN=a8f3k2m9d7s6q1w0", "export API_TOKEN=[redacted:secret-assignment]");
    check(
        "https://x.example/cb?token=a8f3k2m9d7s6q1w0&page=2",
        "https://x.example/cb?token=[redacted:secret-assignment]&page=2",
    );
    check("client_secret => \"Zx8-kQ2_vB7~mN4\"", "client_secret => \"[redacted:secret-assignment]\"");
    check("password: correct-horse-battery-staple2", "password: [redacted:secret-assignment]");
    check("passwd: Tr0ub4dor&3 x", "passwd: [redacted:secret-assignment] x");
    check("my password is hunter2, or \"hunter2\"", "my password is [redacted:secret-assignment], or \"hunter2\"");
    check("my password is \"hunter2\".", "my password is \"[redacted:secret-assignment]\".");
    check("<password>hunter22</password>", "<password>[redacted:secret-assignment]</password>");
    check(
        "x --db-password hunter22 --token q7Zk2Xv9Lp4W",
        "x --db-password [redacted:secret-assignment] --token [redacted:secret-assignment]",
    );
    check("smtp://me@corp.io:pass1@mail:25", "smtp://[redacted:url-credentials]@mail:25");
    check(r#"password="abc1\def2" x"#, r#"password="[redacted:secret-assignment]" x"#);
    check("login: alice / pass: Hunter2x!", "login: alice / pass: [redacted:secret-assignment]");
    check("the api key is abcd1234efgh5678ijkl.", "the api key is [redacted:secret-assignment]");
    check("Set-Cookie: a=b; session=abcdef1234567890; Path=/", "Set-Cookie: a=b; session=[redacted:cookie]; Path=/");
    check("MY_SECRET=abc=def123x==", "MY_SECRET=[redacted:secret-assignment]");
    check("Authorization: Bearer abc123def456ghi7", "Authorization: Bearer [redacted:authorization]");
    check("-H 'Authorization: Basic dXNlcjpwYXNzd29yZA=='", "-H 'Authorization: Basic [redacted:authorization]'");
    check("postgres://app:s3cr3t@db.internal:5432/x", "postgres://[redacted:url-credentials]@db.internal:5432/x");
    check("redis://:hunter2@cache:6379", "redis://[redacted:url-credentials]@cache:6379");
    check("Server=db;User Id=sa;Password=letmein;", "Server=db;User Id=sa;Password=[redacted:connection-string];");
    check("host=db user=app password=letmein", "host=db user=app password=[redacted:connection-string]");
    check(
        "AccountName=x;AccountKey=Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmE=;",
        "AccountName=x;AccountKey=[redacted:azure-key];",
    );
    check(
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzzKEY",
        "aws_secret_access_key = [redacted:aws-secret-access-key]",
    );
    check("HEROKU_API_KEY is 123e4567-e89b-12d3-a456-426614174000", "HEROKU_API_KEY is [redacted:heroku-key]");
    check(
        "https://hooks.slack.com/services/T00000001/B00000002/q7Zk2Xv9Lp4Wm8Rt3Bn6Yc1H",
        "https://hooks.slack.com/services/[redacted:slack-webhook]",
    );
    check(
        "https://hooks.slack-gov.com/services/T00000001/B00000002/q7Zk2Xv9Lp4Wm8Rt3Bn6Yc1H",
        "https://hooks.slack-gov.com/services/[redacted:slack-webhook]",
    );
    check("Server=db; Uid=app; Pwd = swordfish", "Server=db; Uid=app; Pwd =[redacted:connection-string]");
    check(
        "https://discord.com/api/webhooks/123456789012345678/q7Zk2Xv9Lp4Wm8Rt3Bn6Yc1H",
        "https://discord.com/api/webhooks/[redacted:discord-webhook]",
    );
}

#[test]
fn private_keys_go_whole() {
    let body = "MIIEpAIBAAKCAQEA7bq9Xk2mZ0123456789abcdefghijklmnop";
    let block = |label: &str| format!("-----BEGIN {label}-----\n{body}\n{body}\n-----END {label}-----");
    for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"] {
        check(&format!("a\n{}\nb", block(label)), "a\n[redacted:private-key]\nb");
    }
    let escaped = block("PRIVATE KEY").replace('\n', "\\n");
    check(&format!("\"private_key\": \"{escaped}\\n\""), "\"private_key\": \"[redacted:private-key]\\n\"");
    let cut = format!("-----BEGIN PRIVATE KEY-----\n{body}\n{body}\n");
    assert!(!clean(&cut).contains(&body[..20]), "a block without its end");
    for label in ["PUBLIC KEY", "CERTIFICATE"] {
        stays(&block(label));
    }
    stays("we look for -----BEGIN PRIVATE KEY----- in every file");
}

#[test]
fn what_is_no_secret_stays() {
    for text in [
        "fixed in 9f86d081884c7d659a2feaa0c55ad0153bf4f1b2 and 9f86d08",
        "sha256:9f86d081884c7d659a2feaa0c55ad0153bf4f1b2b0b822cd15d6c15b0f00a08e",
        "session 123e4567-e89b-12d3-a456-426614174000",
        r#""integrity": "sha512-q7Zk2Xv9Lp4Wm8Rt3Bn6Yc1Hd5Jf0GsAeUiOxTzVbNmQwErTyUiOpAs3f7Kd9L2mZq7Zk2Xv9Lp4Wm8Rt3B==""#,
        "token: $GITHUB_TOKEN",
        "token: ${{ secrets.GITHUB_TOKEN }}",
        "password=${DB_PASSWORD}",
        "api_key: <token>",
        "api_key=xxxxxxxxxxxxxxxx",
        "password: ********",
        "API_KEY=YOUR_API_KEY",
        "api_key = \"your-api-key-here\"",
        "OPENAI_API_KEY=sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGx5bGVyMTIzNDU2Nzg5MGFiY2RlZmdoaWprbG1u bob",
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC7bq9Xk2mZ",
        "interface Login { password: string; token: string | null }",
        "fn login(password: &str, token: Option<String>)",
        "let token = request.headers.get_token_2();",
        "token = generate_session_token_v2(user)",
        "pub pw_passwd: *mut c_char, pPassword: windows_sys::core::PWSTR, username, password = index_url_user_password",
        "password = os.environ[\"DB_PASSWORD\"]",
        "api_key=config.get('api_key')",
        "the token was rotated and the password is now in the vault",
        "Secret: nobody reads the whole diff",
        "password: required",
        "token: 2025-12-02",
        "max_tokens: 4096, token_count=128000",
        "secretName: my-app-tls-secret-2",
        "SFTP credential troubleshooter tool created (350 lines, V2 compliant)",
        "agent_workspaces/Agent-3/SFTP_CREDENTIAL_FIX_GUIDE.md",
        "tests/safety/test_publish_queue_manager_with_a_very_long_name_indeed.py",
        "handleAuthenticationTokenRefreshForExpiredSessionsWithBackoff2",
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
        "v1.22.333-rc.4+build.5 and 2.0.0",
        "token=v1.2.3",
        "Authorization: Bearer <token>",
        "Authorization: Bearer $TOKEN",
        "Bearer authentication is required",
        "password: !vault |",
        "the password is sha256 and salted; pass --token-file x --password-stdin",
        "ssh://git@host.example:22/x",
        "GITHUB_TOKEN=ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "the password is SHA256-hashed and the token is refreshed, pass: 100/100, bypass: everything2",
        "\"password\": \"Password must be at least 8 characters\"",
        "https://user@host.example/x and https://example.com:8080/x",
        "postgres://$USER:$PASSWORD@db/x",
        "task-abcdefghijklmnopqrstuvwxyz0123456789abcd",
        "class=\"disk-usage risk-management-system-for-everything\"",
    ] {
        stays(text);
    }
}

#[test]
fn held_secrets_are_found_however_they_are_written() {
    let marker = "[redacted:held-secret]";
    check("xcorrect-horse/battery+stapley", &format!("x{marker}y"));
    check("abc is short", "abc is short");
    check("k=correct-horse%2Fbattery%2Bstaple;", &format!("k={marker};"));
    check(r"k=correct-horse\/battery+staple;", &format!("k={marker};"));
    // base64 of "held: correct-horse/battery+staple"
    check("aGVsZDogY29ycmVjdC1ob3JzZS9iYXR0ZXJ5K3N0YXBsZQ==", marker);
    let (_, found) = cleaner().clean_text("correct-horse/battery+staple", &scope());
    assert_eq!(found[0].kind, "held-secret:FLYWHEEL_TOKEN");
    assert!(!format!("{:?}", cleaner()).contains("horse"));
}

#[test]
fn paths_lose_the_machine() {
    check("see D:/Agent_Cellphone_V2_Repository/src/a.rs:12", "see src/a.rs:12");
    check(r"see d:\agent_cellphone_v2_repository\src\a.rs.", "see src/a.rs.");
    check(r"D:\\Agent_Cellphone_V2_Repository\\src", "src");
    check("cd D:/Agent_Cellphone_V2_Repository && ls", "cd Agent_Cellphone_V2_Repository && ls");
    check("D:/Agent_Cellphone_V2_Repository2/x.py", "x.py");
    check("in /home/alice/notes/today.md, and", "in ~/notes/today.md, and");
    check("/Users/alice/x /root/y /home/alice.", "~/x ~/y ~.");
    check(r"C:\Users\USER\docs\x.txt", "~/docs/x.txt");
    check(r"C:\Users\John Smith\docs\x.txt", "~/docs/x.txt");
    check(r"C:\Users\USER\AppData\Local\Temp\tmp3dmu003m", "tmp3dmu003m");
    check("in /srv/people/bob/notes.md", "in ~/notes.md");
    check("D:/games/SpaceExplorer", "SpaceExplorer");
    check(r"at C:\Program Files (x86)\App\run.exe now", "at run.exe now");
    check("/tmp/build/x.log /var/log/app.log", "x.log app.log");
    check("-I/opt/x/include --dir=/mnt/disk/y", "-Iinclude --dir=y");
    check(r"copied to \\fileserver\share\team\plan.docx today", "copied to plan.docx today");
    check(r"\\?\UNC\server\share\x.txt \\?\C:\a\b.txt", "x.txt b.txt");
    check("file:///home/alice/x.html file:///C:/a/b.txt", "~/x.html b.txt");
    check("`/workspace/app/main.py`:3", "`main.py`:3");
    check("PATH=/opt/a/bin:/opt/b/tool", "PATH=bin:tool");
    check(r#"{\"p\":\"\/home\/alice\/x\"}"#, r#"{\"p\":\"~/x\"}"#);
    check("/mnt/c/Users/alice/x", "~/x");
    check("rm -rf /srv/out/* </opt/a/b>", "rm -rf out/* <b>");
    check("/tmp/out/", "out/");
}

#[test]
fn what_is_no_machine_path_stays() {
    for text in [
        "GET /api/v1/users and /api/v1/users/42",
        "https://example.com/home/alice/x and http://localhost:8080/data/x/y",
        "GET /data/users/42",
        "#!/usr/bin/env python3 and /bin/sh, /dev/null, /etc/hosts",
        "on 2025/12/02 and/or s/a/b/ or 1/2",
        r"/^\d+\/tmp\/x$/",
        "src/home/alice.rs ./tmp/x ../var/x ~/notes $ROOT/tmp/x",
        "write to /tmp or /data",
        r"systems\output_flywheel\outputs\README.md",
        r"a\nb\tc \\n \\d+ (?-u:\B) (?i:\g<w>) %d:\t%s",
        r#""\"\\/\x08\x0C" b"\\x00\x1f\xff" "\"\\uD83D\\uDE10\"""#,
        "</root> </div> <br/> //comment/of/code",
        "a://b and s3://bucket/data/x",
        "@scope/package",
    ] {
        stays(text);
    }
}

#[test]
fn people_are_masked() {
    check("mail alice.b+x@example.co.uk now", "mail [redacted:email] now");
    check("Co-authored-by: Alice B <alice@example.com>", "Co-authored-by: Alice B <[redacted:email]>");
    check("josé@example.com", "[redacted:email]");
    check("'alice@example.com'", "'[redacted:email]'");
    check("(202) 555 0147", "[redacted:phone]");
    check("from 8.8.8.8 and 2606:4700:4700::1111.", "from [redacted:public-ip] and [redacted:public-ip].");
    check(
        "ssh root@93.184.216.34 http://93.184.216.34:80/x",
        "ssh root@[redacted:public-ip] http://[redacted:public-ip]:80/x",
    );
    check("call +49 151 2345 6789 or +14155552671", "call [redacted:phone] or [redacted:phone]");
    check("call (415) 555-2671, 415-555-2671", "call [redacted:phone], [redacted:phone]");
    check("phone: 030 1234567", "phone: [redacted:phone]");
    check("account U1234567 and DU7654321", "account …567 and …321");
    check("account number: 12345678", "account number: …678");
}

#[test]
fn what_identifies_nobody_stays() {
    for text in [
        "git@github.com:org/repo.git and ssh://git@host.example/x",
        "deploy@host.example:srv/app.git",
        "Co-authored-by: bot <1234+bot@users.noreply.github.com>",
        "noreply@github.com and no-reply@example.com",
        "lodash@4.17.21 pkg@1.2.3-beta.rc @alice @scope/pkg icon@2x.png",
        "10.0.0.1 192.168.1.1 172.16.0.9 127.0.0.1 192.0.2.7 0.0.0.0 169.254.1.1",
        "ObjectIdentifier(\"2.5.29.9\") version 1.2.3.4, v1.2.3.4, Chrome/120.0.0.0, pkg==1.2.3.4",
        "fe80::1 ::1 2001:db8::1 std::fs::read a::b 12:30:45",
        "P&L +1250.50, +450 -120, +1 250 000, +12345678, +12 345 678.90 EUR",
        "2025-12-02T05:20:00+05:30 order 20251202-123456-7890 id 4155552671",
        "the account was opened; accounts: 1000000",
        "U+1F600 U12 F1",
    ] {
        stays(text);
    }
}

#[test]
fn accounts_keep_apart() {
    let cleaned = clean_json(json!({
        "fills": [
            {"account": "11111567", "symbol": "AAPL", "qty": "11111567"},
            {"account": "22222567"}, {"account": "11111567"}, {"account": "default"}, {"account_id": "paper-1"},
            {"account": "AB-998877"}, {"account": "ira"}, {"account": "A1"},
        ],
        "note": "moved from 11111567 to U7654321",
        "positions": {"U7654321": 3},
        "accounts": ["22222567"],
    }));
    assert_eq!(
        cleaned,
        json!({
            "fills": [
                {"account": "…567", "symbol": "AAPL", "qty": "11111567"},
                {"account": "…567-2"}, {"account": "…567"}, {"account": "default"}, {"account_id": "paper-1"},
                {"account": "…877"}, {"account": "ira"}, {"account": "A1"},
            ],
            "note": "moved from …567 to …321",
            "positions": {"…321": 3},
            "accounts": ["…567-2"],
        })
    );
    // A mask that is already there is taken.
    assert_eq!(
        clean_json(json!([{"account": "…567"}, {"account": "11111567"}])),
        json!([{"account": "…567"}, {"account": "…567-2"}])
    );
}

#[test]
fn documents_are_cleaned_by_their_fields() {
    let document = json!({
        "session_id": "a5-2025-12-02-guardrail-impl",
        "agent_id": "Agent-7",
        "timestamp": "2025-12-02T05:20:00+05:30",
        "metadata": {"api_key": "plainword", "token": "rotated", "password": "", "tokens": 12, "secret": "${X}", "win_rate": 66.67},
        "source_data": {
            "repo_path": "/home/alice/code/proj",
            "git_commits": [{"hash": "def456ghi789", "files": ["/home/alice/code/proj/src/a.rs", "/elsewhere/b.rs"], "author": "Alice <alice@example.com>"}],
            "path": "/home/alice",
            "cwd": "/whatever/it/is",
            "log": "ran in /home/alice/code/proj/src on /home/alice/x",
            "route": "/api/v1/users",
            "deliverables": ["/tmp/x/y.md"],
            "authorization": "Bearer abcdef123456",
            "/home/alice/k": 1,
        },
    });
    assert_eq!(
        clean_json(document),
        json!({
            "session_id": "a5-2025-12-02-guardrail-impl",
            "agent_id": "Agent-7",
            "timestamp": "2025-12-02T05:20:00+05:30",
            "metadata": {"api_key": "[redacted:secret-field]", "token": "rotated", "password": "", "tokens": 12, "secret": "${X}", "win_rate": 66.67},
            "source_data": {
                "repo_path": "proj",
                "git_commits": [{"hash": "def456ghi789", "files": ["src/a.rs", "b.rs"], "author": "Alice <[redacted:email]>"}],
                "path": "~",
                "cwd": "is",
                "log": "ran in src on ~/x",
                "route": "/api/v1/users",
                "deliverables": ["y.md"],
                "authorization": "[redacted:secret-field]",
                "~/k": 1,
            },
        })
    );
}

#[test]
fn repo_paths_are_reduced_to_a_name() {
    for (path, expect) in [
        ("D:/Agent_Cellphone_V2_Repository", "Agent_Cellphone_V2_Repository"),
        (r"C:\Users\USER\AppData\Local\Temp\tmp3dmu003m", "tmp3dmu003m"),
        ("/srv/code/My Repo/", "My Repo"),
        (r"\\host\share\repo", "repo"),
        ("/home/alice", "."),
        ("D:/", "."),
        (".", "."),
        ("../x", "../x"),
        ("Agent_Cellphone_V2_Repository", "Agent_Cellphone_V2_Repository"),
        ("https://github.com/org/repo", "https://github.com/org/repo"),
    ] {
        let cleaned = clean_json(json!({"source_data": {"repo_path": path}}));
        assert_eq!(cleaned.pointer("/source_data/repo_path").unwrap(), expect, "{path}");
    }
}

#[test]
fn a_clean_session_only_loses_its_machine() {
    let session = json!({
        "session_id": "c3d4e5f6-a7b8-9012-cdef-345678901234", "session_type": "life_aria",
        "timestamp": "2025-12-02T05:20:00Z", "agent_id": "Agent-7",
        "metadata": {"duration_minutes": 90, "artifacts_created": 1, "commits": 0, "win_rate": 80.0},
        "source_data": {
            "repo_path": ".",
            "conversations": [{
                "source": "aria",
                "content": "Built a new interactive game using React and Three.js. WordPress SFTP credential troubleshooting, auto-login.",
                "timestamp": "2025-12-02T03:00:00Z",
                "artifacts": [{"type": "game", "name": "SpaceExplorer", "path": "D:/games/SpaceExplorer", "technologies": ["React", "Three.js"]}],
            }],
            "screenshots": ["screenshots/gameplay_001.png"],
            "git_commits": [{"hash": "abc123def456", "message": "feat: Add Phase 3 publication system", "author": "Agent-7",
                "timestamp": "2025-12-02T05:15:00Z", "files": ["systems/output_flywheel/publication/publish_queue_manager.py"]}],
            "trades": [{"symbol": "AAPL", "action": "buy", "quantity": 10, "price": 175.5, "profit_loss": "1,234.50",
                "exec_id": "0000e0d5.67a1b2c3.01.01", "order_id": "1234567890", "account": "default", "time": "20251202 03:00:00"}],
        },
        "artifacts": {"readme": {"generated": true, "path": "systems\\output_flywheel\\README.generated.md", "status": "ready"}},
        "pipeline_status": {"build_artifact": "not_applicable", "life_aria_artifact": "pending"},
    });
    let mut expect = session.clone();
    *expect.pointer_mut("/source_data/conversations/0/artifacts/0/path").unwrap() = json!("SpaceExplorer");
    assert_eq!(clean_json(session), expect);
}

#[test]
fn keys_never_swallow_each_other() {
    let cleaned = clean_json(json!({"a@example.com": 1, "b@example.com": 2, "[redacted:email]": 3}));
    assert_eq!(cleaned, json!({"[redacted:email] (2)": 1, "[redacted:email] (3)": 2, "[redacted:email]": 3}));
}

#[test]
fn findings_say_where_and_how_often() {
    let mut document = json!({"a/b": ["x", "a@example.com b@example.com"], "api_key": "q"});
    let found = cleaner().clean_json(&mut document, &Scope::default());
    let expect =
        |kind: &str, count, location: &str| Finding { kind: kind.to_owned(), count, location: location.to_owned() };
    assert_eq!(found, [expect("secret-field", 1, "/api_key"), expect("email", 2, "/a~1b/1")]);
    let kinds: Vec<&str> = rules().iter().map(|about| about.kind).collect();
    assert!(found.iter().all(|finding| kinds.contains(&finding.kind.as_str())));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics_and_twice_is_once(text in "\\PC{0,80}|[a-zA-Z0-9:/\\\\@.+=%\"' _…~-]{0,120}|([a-z]{2,9}[=:/@.\\\\ \n+]{1,2}){0,12}") {
        let (cleaned, _) = cleaner().clean_text(&text, &scope());
        prop_assert_eq!(&cleaner().clean_text(&cleaned, &scope()).0, &cleaned);
    }

    #[test]
    fn paths_and_key_words_in_any_order(words in prop::collection::vec(prop::sample::select(vec![
        "/home/", "/tmp/", "C:\\", "\\", "Users", "alice", "D:/Agent_Cellphone_V2_Repository", "password=", "token:", "\"", "a1b2c3d4e5f6",
        "a@b.com", "8.8.8.8", "[redacted:", "email]", "U1234567", "…567", "account ", "%2F", "\\u0041", "://", "@", " ", "file://", "é", "+49 151 2345 6789",
    ]), 0..14)) {
        let text = words.concat();
        let (cleaned, _) = cleaner().clean_text(&text, &scope());
        prop_assert_eq!(&cleaner().clean_text(&cleaned, &scope()).0, &cleaned, "{}", text);
    }

    #[test]
    fn a_short_name_holds_nothing(name in "[a-z_]{0,15}|[a-z]{0,5}_?(secret|password|token|api_key|key|bearer|sk|pk|xox|ghp|akia|account|iban|path|home)_?[a-z]{0,3}") {
        prop_assume!(is_name(&name));
        // Behind a blank it is no name, and every rule looks at it.
        let with_blank = format!(" {name}");
        prop_assert_eq!(&cleaner().clean_text(&with_blank, &scope()).0, &with_blank);
        prop_assert_eq!(&cleaner().clean_text(&name, &scope()).0, &name);
    }

    #[test]
    fn accounts_are_never_joined(ids in prop::collection::btree_set("(U|AB-)?[0-9]{6,7}", 0..40)) {
        let ids: Vec<String> = ids.into_iter().collect();
        let mut document = json!(ids.iter().map(|id| json!({"account": id})).collect::<Vec<_>>());
        cleaner().clean_json(&mut document, &Scope::default());
        let text = document.to_string();
        let masks: std::collections::BTreeSet<&str> = document.as_array().unwrap().iter().filter_map(|fill| fill["account"].as_str()).collect();
        prop_assert_eq!(masks.len(), ids.len());
        prop_assert!(ids.iter().all(|id| !text.contains(id.as_str())), "{}", text);
    }

    #[test]
    fn planted_secrets_never_survive(index in 0..27_usize, before in "[ a-z/\"'=:(,.\\n-]{0,30}[ \"'=:(,]", after in "[ \"'),;\n][ a-z/\"'=:(,.\\n-]{0,30}", encoding in 0..4_u8) {
        use base64::Engine as _;
        let (_, value) = planted().swap_remove(index);
        let plain = format!("{before}{value}{after}");
        let text = match encoding {
            0 => plain.clone(),
            1 => plain.bytes().map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect(),
            2 => format!("x {} y", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&plain)),
            _ => serde_json::to_string(&plain).unwrap(),
        };
        let (cleaned, found) = cleaner().clean_text(&text, &Scope::default());
        let secret = |text: &str| text.contains(&value);
        prop_assert!(!found.is_empty() && !secret(&cleaned), "{}", cleaned);
        for view in [decode::percent(&cleaned), decode::json_escapes(&cleaned)].into_iter().flatten() {
            prop_assert!(!secret(&view.text), "{}", cleaned);
        }
        for run in decode::base64_runs(&cleaned) {
            prop_assert!(!run.readings.iter().any(|reading| secret(reading)), "{}", cleaned);
        }
    }
}

#[test]
fn numbers_that_are_accounts_phones_or_secrets_by_their_fields_name_become_text() {
    let document = json!({
        "trades": [
            { "account": 12345678, "symbol": "AAPL", "exec_id": 87654321, "order_id": 12345678, "quantity": 1000000 },
            { "account_id": 12345678.0, "account": "main", "price": 12345678 },
            { "accounts": [99345678, "ira"], "account": 7 },
        ],
        "note": "filled in 12345678",
        "phone": 4_155_550_132_u64, "password": 12345678, "max_tokens": 128000, "mobile": 1234567,
    });
    let cleaned = clean_json(document);
    assert_eq!(
        cleaned,
        json!({
            "trades": [
                { "account": "…678", "symbol": "AAPL", "exec_id": 87654321, "order_id": 12345678, "quantity": 1000000 },
                { "account_id": "…678", "account": "main", "price": 12345678 },
                { "accounts": ["…678-2", "ira"], "account": 7 },
            ],
            "note": "filled in …678",
            "phone": "[redacted:phone]", "password": "[redacted:secret-field]", "max_tokens": 128000, "mobile": 1234567,
        })
    );
}

#[test]
fn people_and_paths_are_seen_through_percent_signs_and_escaped_line_ends() {
    check("open?path=%2Fhome%2Fbob%2Fsrc%2Fx.py", "open?path=~/src/x.py");
    check(r"Error\n/home/bob/x.py:3\n93.184.20.116", r"Error\n~/x.py:3\n[redacted:public-ip]");
    check("to=%2B1%20415%20555%200132", "to=[redacted:phone]");
    stays(r"[^\n/]+/data and ^\/data\/(.*)$");
    check(r"a\nU1234567\n", r"a\n…567\n");
}

#[test]
fn what_nobody_sees_hides_nothing() {
    check("account 1234\u{200B}5678 and U12\u{202E}34567", "account …678 and …567");
    let document =
        json!({ "account": "1234\u{200B}5678", "phone": "415\u{2060}5550132", "api_\u{200B}key": "abc\u{200B}def" });
    let cleaned = clean_json(document);
    assert_eq!(
        cleaned,
        json!({ "account": "…678", "phone": "[redacted:phone]", "api_key": "[redacted:secret-field]" })
    );
}
