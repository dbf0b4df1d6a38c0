//! Floor 5. What a user of MySQL or MariaDB can do beyond tables, by what `SHOW GRANTS` says of it
//! and its active roles. No transaction stops what these permit. Reference: `auth.md` §4.6.

/// Rights on the whole server that reach beyond the tables: files, other users, settings of all.
const POWERS: [&str; 14] = [
    "ALL",
    "ALL PRIVILEGES",
    "BINLOG ADMIN",
    "CREATE TABLESPACE",
    "CREATE USER",
    "FILE",
    "READ ONLY ADMIN",
    "READ_ONLY ADMIN",
    "SET USER",
    "SHUTDOWN",
    "SUPER",
    "SYSTEM_USER",
    "SYSTEM_VARIABLES_ADMIN",
    "CONNECTION ADMIN",
];

/// The first such right that the user has.
pub(super) fn power(grants: &[String]) -> Option<&'static str> {
    grants.iter().find_map(|grant| {
        // The name of the one who has them stands behind, and may be anything.
        let (rights, _) = grant.strip_prefix("GRANT ")?.split_once(" ON *.* TO ")?;
        rights.split(',').find_map(|right| POWERS.into_iter().find(|power| right.trim().eq_ignore_ascii_case(power)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_on_the_server_are_found_and_those_on_tables_are_not() {
        for (grants, expected) in [
            (&["GRANT USAGE ON *.* TO `app`@`%`", "GRANT ALL PRIVILEGES ON `shop`.* TO `app`@`%`"][..], None),
            (&["GRANT SELECT, PROCESS, REPLICATION CLIENT ON *.* TO `app`@`%`"], None),
            (&["GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION"], Some("ALL PRIVILEGES")),
            (&["GRANT USAGE ON *.* TO `a`@`%`", "GRANT FILE ON *.* TO `filer`"], Some("FILE")),
            (&["GRANT SELECT, FILE, SUPER ON *.* TO `a`@`%`"], Some("FILE")),
            (&["GRANT SELECT ON `FILE ON *.* TO `.* TO `a`@`%`"], None),
        ] {
            let grants: Vec<String> = grants.iter().map(|grant| (*grant).to_owned()).collect();
            assert_eq!(power(&grants), expected, "{grants:?}");
        }
    }
}
