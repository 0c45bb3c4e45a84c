//! All fields of a pattern: the lines that people read, conflicts and alternatives among them.

use expect_test::expect;

use crate::{check, explained};

#[test]
fn one_pattern_is_a_list_of_its_fields() {
    check(
        r#"{"source": ["com.shop"], "detail": {"state": ["running", "stopped"], "total": [{"numeric": [">", 100]}], "coupon": [{"exists": false}]}}"#,
        r#"{"source": "com.shop", "detail": {"State": "running", "total": 5}}"#,
        expect![[r#"
            ✗ no match: detail.state: absent, expected one of "running", "stopped" (and 1 more)

              ✓ detail.coupon: absent, as it has to be
              ✗ detail.state: absent, expected one of "running", "stopped"
                → detail.State exists, detail.state does not
              ✗ detail.total: 5 is not > 100
              ✓ source: "com.shop"
        "#]],
    );
    check(
        r#"{"source": [{"prefix": "com."}], "detail": {"coupon": [{"exists": false}], "tags": ["new"]}}"#,
        r#"{"source": "com.shop", "detail": {"tags": ["old", "new"]}}"#,
        expect![[r#"
            ✓ match: every field fits

              ✓ detail.coupon: absent, as it has to be
              ✓ detail.tags: "new"
              ✓ source: "com.shop" begins with "com."
        "#]],
    );
    check(
        r#"{"detail": {"items": {"sku": ["TV-55"]}}}"#,
        r#"{"detail": {"items": [{"sku": "TV-5"}, {"sku": "tv-55"}, {"sku": 3}, {}, {"sku": []}, {"sku": "x"}, {"sku": "y"}]}}"#,
        expect![[r#"
            ✗ no match: detail.items.sku: "tv-55" differs from "TV-55" in case only (the nearest of 5 values)

              ✗ detail.items.sku: "tv-55" differs from "TV-55" in case only (the nearest of 5 values)
                → {"equals-ignore-case": "TV-55"} would fit
                detail.items[1].sku: "tv-55" differs from "TV-55" in case only
                detail.items[0].sku: "TV-5" is not "TV-55"
                detail.items[5].sku: "x" is not "TV-55"
                detail.items[6].sku: "y" is not "TV-55"
                detail.items[2].sku: 3 is a number, expected the string "TV-55"
                … and 1 more
        "#]],
    );
}

#[test]
fn fields_that_fit_only_apart_are_named_with_their_array() {
    let items = r#"{"detail": {"items": [{"sku": "TV", "qty": 1}, {"sku": "PC", "qty": 5}, {"sku": "TV", "qty": 2, "gift": true}]}}"#;
    check(
        r#"{"detail": {"items": {"sku": ["TV"], "qty": [5]}}}"#,
        items,
        expect![[r#"
            ✗ no match: detail.items: no single element had both qty and sku

              ~ detail.items.qty: 5, at detail.items[1].qty
              ~ detail.items.sku: "TV", at detail.items[0].sku
              ✗ detail.items: no single element had both qty and sku
                qty fits in detail.items[1]
                sku fits in detail.items[0] and detail.items[2]
        "#]],
    );
    // Each two of the three are together somewhere.
    check(
        r#"{"a": {"b": [1], "c": [1], "d": [1]}}"#,
        r#"{"a": [{"b": 1, "c": 1}, {"b": 1, "d": 1}, {"c": 1, "d": 1}]}"#,
        expect![[r#"
            ✗ no match: a: no single element had all of b, c and d

              ~ a.b: 1, at a[0].b
              ~ a.c: 1, at a[0].c
              ~ a.d: 1, at a[1].d
              ✗ a: no single element had all of b, c and d
                b fits in a[0] and a[1]
                c fits in a[0] and a[2]
                d fits in a[1] and a[2]
        "#]],
    );
    check(
        r#"{"a": {"x": {"v": [1]}, "x.w": [1], "y": [2]}}"#,
        r#"{"a": [{"x": [{"v": 1}, {"w": 1}], "y": 2}, {"x": [{"v": 1, "w": 1}], "y": 3}]}"#,
        expect![[r#"
            ✗ no match: a: no single element, with one of each array in it, had all of x.v, x.w and y

              ~ a.x.v: 1, at a[0].x[0].v
              ~ a.x.w: 1, at a[0].x[1].w
              ~ a.y: 2, at a[0].y
              ✗ a: no single element, with one of each array in it, had all of x.v, x.w and y
                x.v fits in a[0].x[0] and a[1].x[0]
                x.w fits in a[0].x[1] and a[1].x[0]
                y fits in a[0]
        "#]],
    );
}

#[test]
fn fields_that_fit_only_apart_are_named_whatever_the_shape_of_the_arrays() {
    check(
        r#"{"a": [1], "a.b": [2]}"#,
        r#"{"a": [[1], {"b": 2}]}"#,
        expect![[r#"
            ✗ no match: a: no single element had both a value of its own and b

              ~ a: 1, at a[0][0]
              ~ a.b: 2, at a[1].b
              ✗ a: no single element had both a value of its own and b
                a value of its own fits in a[0]
                b fits in a[1]
        "#]],
    );
    // Keys that repeat: the same path, once in an array, once not.
    check(
        r#"{"a": {"b": [1], "c": [2]}}"#,
        r#"{"a": [{"b": 1}, {"c": 2}], "a": {"b": 3}}"#,
        expect![[r#"
            ✗ no match: a: no single element had both b and c

              ~ a.b: 1, at a[0].b
              ~ a.c: 2, at a[1].c
              ✗ a: no single element had both b and c
                b fits in a[0]
                c fits in a[1]
        "#]],
    );
}

/// The array, and its keys, of the conflict of the only alternative.
fn in_conflict(pattern: &str, event: &str) -> String {
    let explanation = explained(pattern, event);
    let [conflict] = &explanation.nearest().conflicts[..] else {
        panic!("one conflict: {explanation}");
    };
    format!("{}: {}", conflict.path, conflict.why)
}

#[test]
fn a_conflict_names_no_field_that_has_no_part_in_it() {
    // All elements have b and z.
    assert_eq!(
        in_conflict(
            r#"{"a": {"b": [1], "sku": [1], "qty": [1], "z": [1]}, "x": [1]}"#,
            r#"{"x": 1, "a": [{"b": 1, "sku": 1, "z": 1}, {"b": 1, "qty": 1, "z": 1}]}"#,
        ),
        "a: no single element had both qty and sku"
    );
    // Three of the four.
    assert_eq!(
        in_conflict(
            r#"{"a": {"aa": [1], "b": [1], "bb": [1], "c": [1], "d": [1]}}"#,
            r#"{"a": [{"aa": 1, "bb": 1, "b": 1, "c": 1}, {"aa": 1, "bb": 1, "b": 1, "d": 1}, {"aa": 1, "bb": 1, "c": 1, "d": 1}]}"#,
        ),
        "a: no single element had all of b, c and d"
    );
    // Two of them are in conflict, and so are three others of which none can be left out.
    assert_eq!(
        in_conflict(
            r#"{"a": {"b": [1], "c": [1], "d": [1], "e": [1]}}"#,
            r#"{"a": [{"e": 1, "b": 1}, {"e": 1, "c": 1}, {"d": 1, "b": 1, "c": 1}]}"#,
        ),
        "a: no single element had both d and e"
    );
}

#[test]
fn absence_in_arrays_is_explained_by_the_order_of_paths() {
    let items = r#"{"items": [{"sku": "TV", "waste": true}, {"sku": "PC", "gift": true}, {"sku": "TV", "waste": 1, "gift": 2}]}"#;
    check(
        r#"{"items": {"sku": ["TV"], "waste": [{"exists": false}]}}"#,
        items,
        expect![[r#"
        ✗ no match: items: no single element had both sku and no waste

          ~ items.sku: "TV", at items[0].sku
          ~ items.waste: absent, except in items[0] and items[2]
          ✗ items: no single element had both sku and no waste
            sku fits in items[0] and items[2]
            waste is there, in items[0] and items[2]
    "#]],
    );
    check(
        r#"{"items": {"sku": ["PC"], "gift": [{"exists": false}]}}"#,
        items,
        expect![[r#"
            ✗ no match: items.gift: true and 2 are there, expected no value

              ✗ items.gift: true and 2 are there, expected no value
                → it looks at every element: items.sku comes after it in the order of paths, so it rules none out (P44)
                items[1].gift: true is there, expected no value
                items[2].gift: 2 is there, expected no value
              ✓ items.sku: "PC", at items[1].sku
        "#]],
    );
    // c comes after b and sees only its element: this matches.
    check(
        r#"{"a": {"b": [1], "c": [{"exists": false}]}}"#,
        r#"{"a": [{"b": 1}, {"c": 2}]}"#,
        expect![[r#"
            ✓ match: every field fits

              ✓ a.b: 1, at a[0].b
              ✓ a.c: absent, except in a[1]
        "#]],
    );
    // Here it comes before, and sees all.
    check(
        r#"{"a": {"b": [{"exists": false}], "c": [2]}}"#,
        r#"{"a": [{"b": 1}, {"c": 2}]}"#,
        expect![[r#"
            ✗ no match: a.b: 1 is there, at a[0].b, expected no value

              ✗ a.b: 1 is there, at a[0].b, expected no value
                → it looks at every element: a.c comes after it in the order of paths, so it rules none out (P44)
              ✓ a.c: 2, at a[1].c
        "#]],
    );
}

#[test]
fn alternatives_are_ordered_by_how_near_they_are() {
    check(
        r#"{"source": ["shop"], "$or": [{"a": [1], "b": [2]}, {"a": ["x"]}, {"a": [5]}]}"#,
        r#"{"source": "shop", "a": "X", "b": 2}"#,
        expect![[r#"
            ✗ no match: none of 3 alternatives; the nearest, number 1: a: "X" is a string, expected the number 1

              ✗ alternative 1 of 3: 2 of 3 fields fit
                ✗ a: "X" is a string, expected the number 1
                ✓ b: 2
                ✓ source: "shop"

              ✗ alternative 2 of 3: 1 of 2 fields fit
                ✗ a: "X" differs from "x" in case only
                  → {"equals-ignore-case": "x"} would fit
                ✓ source: "shop"

              ✗ alternative 3 of 3: 1 of 2 fields fit
                ✗ a: "X" is a string, expected the number 5
                ✓ source: "shop"
        "#]],
    );
    check(
        r#"{"$or": [{"a": [1]}, {"b": [2]}]}"#,
        r#"{"a": 5, "b": 2}"#,
        expect![[r#"
            ✓ match: every field fits, by alternative 2 of 2

              ✓ alternative 2 of 2: 1 of 1 field fits
                ✓ b: 2

              … and 1 more alternative
        "#]],
    );
}
