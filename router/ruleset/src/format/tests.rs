use expect_test::{Expect, expect};

use super::*;

mod any;

fn file(text: &str) -> SourceFile {
    SourceFile { path: "rules/a.yaml".to_owned(), text: text.to_owned() }
}

/// Formats, and formats again, which changes nothing.
fn formatted(text: &str) -> String {
    match format(&file(text)) {
        Ok(out) => {
            assert_eq!(format(&file(&out)).as_ref(), Ok(&out), "the second time, of {text:?}");
            out
        }
        Err(FormatError::Broken(found)) => format!("broken: {}\n", found[0]),
        Err(error) => format!("left: {error}\n"),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as every check of a table")]
fn check(text: &str, expected: Expect) {
    expected.assert_eq(&formatted(text));
}

#[test]
fn keys_come_in_the_order_of_the_reference_and_others_behind_them() {
    check(
        r#"
targets:
    - retry: {backoff: {max: 1m, min: 1s}, attempts: 3}
      transform:
      - config: {b: 1, a: 2}
        plugin: redact
      - input: {template: "<b>", paths: {b: $.b, a: $.a}}
      http: {timeout: 5s, headers: {z: 1, a: 2}, url: "http://x"}
      id: crm
tests:
    - expect: none
      event: {source: b, detail-type: T, detail: {z: 1, a: 2}}
      name: one
color: red
pattern: {source: [b], detail: {z: [1], a: [2]}}
bus: shop
name: a
"#,
        expect![[r#"
            name: a
            bus: shop
            pattern: { source: [b], detail: { z: [1], a: [2] } }
            targets:
              - id: crm
                http: { url: "http://x", headers: { z: 1, a: 2 }, timeout: 5s }
                transform:
                  - plugin: redact
                    config: { b: 1, a: 2 }
                  - input: { paths: { b: $.b, a: $.a }, template: "<b>" }
                retry: { attempts: 3, backoff: { min: 1s, max: 1m } }
            tests:
              - name: one
                event: { source: b, detail-type: T, detail: { z: 1, a: 2 } }
                expect: none
            color: red
        "#]],
    );
}

#[test]
fn comments_go_where_their_keys_go() {
    check(
        "\
# Of the file.

# Of the bus?
bus: shop # where
# The name.
name: a # who

targets: # where to
  # The first.
  - id: one # it
    # Its kind.
    log: # to the console
    # Perhaps later:
    # retry: {}
  # Between.
  - # within the second
    id: two
    http:
      url: http://x
        # further in
      # end of http
    # end of two
  # end of targets
# end of rule
",
        expect![[r#"
            # Of the file.

            # The name.
            name: a # who
            # Of the bus?
            bus: shop # where

            targets: # where to
              # The first.
              - id: one # it
                # Its kind.
                log: # to the console
                # Perhaps later:
                # retry: {}
              # Between.
              - # within the second
                id: two
                http:
                  url: http://x
                    # further in
                  # end of http
                # end of two
              # end of targets
            # end of rule
        "#]],
    );
}

#[test]
fn comments_in_brackets_keep_their_lines() {
    check(
        "pattern: {\n        source: [a, # the first\n                  b],\n   # alone\n        x:   [ 1 ]\n   }\nname:   a\nt: [ # open\n  1 ] # close\n",
        expect![[r#"
            name: a
            pattern: {
                 source: [a, # the first
                           b],
            # alone
                 x:   [ 1 ]
            }
            t: [ # open
              1 ] # close
        "#]],
    );
}

#[test]
fn documents_keep_their_markers_and_comments() {
    check(
        "# yaml-language-server: $schema=x\n---   # first\n\n# head\nname:   a\n# foot\n--- # second\n--- \n{a: 1}\n...\n# after dots\nb:   2\n---\n# nothing here\n",
        expect![[r#"
            # yaml-language-server: $schema=x
            --- # first
            # head
            name: a
            # foot
            --- # second
            ---
            { a: 1 }
            # after dots
            ---
            b: 2
            ---
            # nothing here
        "#]],
    );
}

#[test]
fn blank_lines_are_one_and_none_begins_or_ends_a_block() {
    check(
        "\n\n\nname: a\n\n\n\nbus: b\ntargets:\n\n  - id: a\n\n\n  - id: b\n\n    # c\n\n    log:\n\n\n\n",
        expect![[r#"
            name: a

            bus: b
            targets:
              - id: a

              - id: b

                # c

                log:
        "#]],
    );
}

#[test]
fn texts_of_several_lines_keep_their_lines() {
    check(
        "a: |\n      one\n        two\n\n      three  \n\nb: >-\n one\n\n two\nc: |+\n    kept\n\n\nd: |2-\n     further\n   less\ne: | # why\n  x\nf: |4\n      first\n    second\ng: |\n\n  late\nh: \"one\n      two \\\n   three\"\ni: plain\n     text\n",
        expect![[r#"
            a: |
              one
                two

              three  

            b: >-
              one

              two
            c: |+
              kept


            d: |2-
                 further
               less
            e: | # why
              x
            f: |2
                first
              second
            g: |

              late
            h: "one
              two \
              three"
            i: plain
              text
        "#]],
    );
}

#[test]
fn lists_of_texts_of_several_lines_too() {
    check(
        "a:\n- |\n  x\n-   - >+\n      y\n\n    - z\n-\n- - - 1\n    - 2\n",
        expect![[r#"
            a:
              - |
                x
              - - >+
                  y

                - z
              -
              - - - 1
                  - 2
        "#]],
    );
}

#[test]
fn anchors_tags_and_aliases_stay_and_nothing_moves_around_them() {
    check(
        "tests:   &t\n  - &one {a: &x 1}\n  - *one\n  - !!str   007\n  - &two # why\n    b:   *x\n  - !!map {c: [*x]}\nname: *x\n",
        expect![[r#"
            tests: &t
              - &one { a: &x 1 }
              - *one
              - !!str 007
              - &two # why
                b: *x
              - !!map { c: [*x] }
            name: *x
        "#]],
    );
    check(
        "--- &root\nname:   a\n",
        expect![[r#"
        ---
        &root
        name: a
    "#]],
    );
}

#[test]
fn line_ends_byte_order_marks_and_tabs_become_plain() {
    check(
        "\u{feff}name: a\t# tab\r\nbus:\tb  \r\n\r\ntext: |\r\n  one\r\n  two\r\n",
        expect![[r#"
        name: a # tab
        bus: b

        text: |
          one
          two
    "#]],
    );
    check(
        "name: a\rbus: b",
        expect![[r#"
        name: a
        bus: b
    "#]],
    );
    check(
        "name:\n\tbus: b\n",
        expect![[r#"
        broken: rules/a.yaml:2:2: YAML does not allow a tab here (indent with spaces)
    "#]],
    );
}

#[test]
fn wide_characters_count_as_nothing_special() {
    check(
        "名前: { 値: 宽 , x: [ é ]}\nname: Trần Thị Lan\u{a0}\nbus: \u{3000}x\u{3000} # ∑ \u{a0}\nd: \"\\u00e9 \\\n    x\"\n",
        expect![[r#"
            name: Trần Thị Lan 
            bus: 　x　 # ∑  
            名前: { 値: 宽, x: [é] }
            d: "\u00e9 \
              x"
        "#]],
    );
}

#[test]
fn quotes_and_numbers_keep_their_text() {
    check(
        "a: 'it''s'\nb: \"\\x41\"\nc: 1.10\nd: 0x1F\ne: ~\nf:\ng: NO\n'h': 1\n\"i\" : 2\nj: {a: , b}\nk: [a: b]\n",
        expect![[r#"
            a: 'it''s'
            b: "\x41"
            c: 1.10
            d: 0x1F
            e: ~
            f:
            g: NO
            'h': 1
            "i": 2
            j: {a: , b}
            k: [a: b]
        "#]],
    );
}

#[test]
fn json_stays_json() {
    check(
        "{\"tests\":[],\"name\":\"a\",\"pattern\":{\"source\":[\"b\"]}}",
        expect![[r#"
        { "name": "a", "pattern": { "source": ["b"] }, "tests": [] }
    "#]],
    );
    check(
        "{\n    \"targets\": [\n        {\"log\": {}, \"id\": \"x\"}\n    ],\n\n    \"name\": \"a\", \"none\": [\n]\n}",
        expect![[r#"
            {
              "name": "a",
              "targets": [
                { "id": "x", "log": {} }
              ],
              "none": []
            }
        "#]],
    );
}

#[test]
fn empty_files_stay_empty() {
    check("", expect![""]);
    check("\n \n", expect![""]);
    check(
        "# only a comment",
        expect![[r#"
        # only a comment
    "#]],
    );
    check(
        "---\n",
        expect![[r#"
        ---
    "#]],
    );
}

#[test]
fn what_has_no_place_leaves_the_file_as_it_is() {
    check(
        "a: 1\n? b\n: 2\n",
        expect![[r#"
            left: line 2: a key that is no plain text cannot be kept: write it in a plainer way
        "#]],
    );
    check(
        "%TAG ! tag:x,2000:\n---\na: 1\n",
        expect![[r#"
            left: line 1: a line that begins with `%` cannot be kept: write it in a plainer way
        "#]],
    );
    check(
        "a: 1\nb: # one\n  2 # two\n",
        expect![[r#"
            left: line 3: the place of this comment cannot be kept: write it in a plainer way
        "#]],
    );
}

#[test]
fn what_cannot_be_read_is_told_with_its_place() {
    check(
        "name: a\nname: b\n",
        expect![[r#"
        broken: rules/a.yaml:2:1: the key `name` is given twice (keep one of the two)
    "#]],
    );
    check(
        "a: [1\n",
        expect![[r#"
        broken: rules/a.yaml:1:4: `[` is never closed (close it; is the file cut off?)
    "#]],
    );
    check(
        "a: {<<: *b}\n",
        expect![[r#"
        broken: rules/a.yaml:1:9: the alias `*b` has no anchor before it (put the text in quotes if the star is part of it)
    "#]],
    );
}
