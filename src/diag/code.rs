//! Floor 1. Every kind of fault has a code: `MB` and four digits, the phase in the first two.
//! A code is a contract: it is never given to another fault. A new one needs a page in
//! `src/diag/explain`, and a folder in `tests/check` that shows it.

macro_rules! codes {
    ($(#[doc = $doc:literal] $variant:ident = $code:literal,)*) => {
        /// What kind of fault a diagnostic reports.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $doc] $variant,)*
        }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code as it is printed.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)*
                }
            }

            /// What kind of fault it is, in one sentence.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$variant => $doc.trim_ascii(),)*
                }
            }

            /// The page about the code in `src/diag/explain`, without which nothing compiles.
            pub(super) const fn page(self) -> &'static str {
                match self {
                    $(Self::$variant => include_str!(concat!("explain/", $code, ".md")),)*
                }
            }
        }
    };
}

impl Code {
    /// Whether it is told as advice, which an author may not want to hear.
    #[must_use]
    pub const fn is_advice(self) -> bool {
        matches!(
            self,
            Self::OldBoolean
                | Self::ToolNameLong
                | Self::UnusedSource
                | Self::VagueDescription
                | Self::LongDescription
                | Self::AlikeTools
                | Self::ManyTools
                | Self::Unbounded
                | Self::LongInstructions
                | Self::TestUnanswered
                | Self::ParamUnused
                | Self::NoDescription
                | Self::NotPortable
                | Self::SqlPlaceholder
                | Self::FullScan
                | Self::CatalogStale
                | Self::ParamMisfit
                | Self::ColumnRenamed
                | Self::Unverified
                | Self::KeyInQuery
                | Self::Exfiltration
                | Self::EndUserLimit
                | Self::LiteralSecret
                | Self::WriteWithoutScope
                | Self::ConfirmSaysLittle
        )
    }
}

codes! {
    /// A file is not UTF-8.
    NotUtf8 = "MB0002",
    /// A file is larger than a bridge file may be.
    FileTooLarge = "MB0003",

    /// The text is not YAML.
    Syntax = "MB0101",
    /// A key stands twice in one mapping.
    DuplicateKey = "MB0102",
    /// A YAML tag.
    Tag = "MB0103",
    /// An alias without an anchor.
    UnknownAlias = "MB0104",
    /// The file stands for too many values, or they lie too deep.
    TooManyNodes = "MB0105",
    /// A key that is not text.
    KeyNotText = "MB0106",
    /// A second YAML document in a file.
    SecondDocument = "MB0107",
    /// `${…}` that is not a variable.
    Variable = "MB0108",
    /// A variable without a value.
    VariableUnset = "MB0109",
    /// `${file:…}` that cannot be read.
    VariableFile = "MB0110",

    /// A YAML merge key.
    MergeKey = "MB0111",

    /// A key that the format does not know.
    UnknownKey = "MB0201",
    /// A value of another kind than the key wants.
    WrongType = "MB0202",
    /// A key that must be there.
    MissingKey = "MB0203",
    /// A value that the key does not accept.
    NotAccepted = "MB0204",
    /// Keys that exclude each other.
    Exclusive = "MB0205",
    /// A part of the format that this version does not have yet.
    NotYet = "MB0206",
    /// A plain word that older YAML took for a boolean.
    OldBoolean = "MB0207",

    /// A file without `bridge:`.
    BridgeMissing = "MB0301",
    /// Two bridges with one name.
    BridgeTwice = "MB0302",
    /// A tool's name that clients refuse.
    ToolName = "MB0303",
    /// Two tools with one name.
    ToolTwice = "MB0304",
    /// A tool's name that some hosts cut.
    ToolNameLong = "MB0305",
    /// A source that is not declared.
    UnknownSource = "MB0306",
    /// A source of the other kind, or no way to tell which is meant.
    WrongSource = "MB0307",
    /// `server:` in two files.
    ServerTwice = "MB0308",
    /// A source that no tool uses.
    UnusedSource = "MB0309",

    /// A code after `allow` that is no advice.
    Allow = "MB0330",
    /// A description that says no more than the name.
    VagueDescription = "MB0331",
    /// A description that is long.
    LongDescription = "MB0332",
    /// Two tools that a model cannot tell apart.
    AlikeTools = "MB0333",
    /// More tools than some hosts take.
    ManyTools = "MB0334",
    /// A result that grows with the data.
    Unbounded = "MB0335",
    /// Instructions that some hosts cut.
    LongInstructions = "MB0336",

    /// A test whose arguments the tool refuses.
    TestArguments = "MB0350",
    /// A test that looks at a place with a path that is none.
    TestPath = "MB0351",
    /// A test whose answers the tool never asks for.
    TestStub = "MB0352",
    /// Two tests with one name.
    TestTwice = "MB0353",
    /// A test that expects what cannot be.
    TestExpectation = "MB0354",
    /// A test that nothing answers.
    TestUnanswered = "MB0355",

    /// A param that is not a valid schema.
    ParamSchema = "MB0401",
    /// A keyword that does not fit the type.
    ParamKeyword = "MB0402",
    /// A default or example that the param itself refuses.
    ParamDefault = "MB0403",
    /// A key that has no meaning where the param is used.
    ParamPlace = "MB0404",
    /// A part of the caller's identity that does not exist.
    ParamFrom = "MB0405",
    /// A param that is used nowhere.
    ParamUnused = "MB0406",
    /// A missing description.
    NoDescription = "MB0407",
    /// A schema that some hosts refuse.
    NotPortable = "MB0408",
    /// A param name that cannot be used.
    ParamName = "MB0409",

    /// A template that cannot be read.
    Template = "MB0501",
    /// A template that names an unknown variable.
    UnknownVariable = "MB0502",
    /// A `JSONPath` that cannot be read.
    JsonPath = "MB0503",
    /// A URL or path that cannot be used.
    Url = "MB0504",
    /// A `{x}` in a path that no required param fills.
    PathParam = "MB0505",
    /// A header that cannot be set.
    Header = "MB0506",
    /// A status that is not one.
    Status = "MB0507",
    /// A body where none belongs.
    Body = "MB0508",
    /// A query parameter that is fixed elsewhere.
    QueryFixed = "MB0509",
    /// A style that a value cannot be written in.
    Style = "MB0510",
    /// A cookie that cannot be set.
    Cookie = "MB0511",
    /// A GraphQL document that cannot be sent.
    Graphql = "MB0512",
    /// A part of a multipart body that cannot be made.
    Part = "MB0513",
    /// A way of reading answers that cannot be.
    Reading = "MB0514",
    /// An `error_when` that finds nothing out.
    ErrorWhen = "MB0515",
    /// Words for a status that is no error.
    NeverSaid = "MB0516",

    /// A request that cannot be tried again so.
    Retry = "MB0540",
    /// A key against repetition that cannot be sent.
    IdempotencyKey = "MB0541",
    /// A token endpoint that cannot be asked.
    TokenEndpoint = "MB0542",
    /// Certificates that cannot be used.
    Tls = "MB0543",
    /// A proxy that cannot be used.
    Proxy = "MB0544",
    /// Pages that cannot be turned.
    Pagination = "MB0545",

    /// A param that the database takes less for than it permits.
    ParamMisfit = "MB0546",
    /// A column of a result that is renamed.
    ColumnRenamed = "MB0547",

    /// A transaction that cannot be, or a key that has no meaning in one.
    TransactionKey = "MB0560",
    /// A name that no statement of a transaction can have.
    TransactionName = "MB0561",
    /// A value of another statement of a transaction that is not there.
    TransactionResult = "MB0562",

    /// A placeholder without a param.
    SqlPlaceholder = "MB0601",
    /// A placeholder of the engine in the place of `:name`.
    SqlNativePlaceholder = "MB0602",
    /// A `[[ … ]]` that cannot be read.
    SqlFragment = "MB0603",
    /// No statement, or more than one.
    SqlStatements = "MB0604",
    /// A statement that the mode does not permit.
    SqlNotPermitted = "MB0605",
    /// A param used where its kind has no meaning.
    SqlParamUse = "MB0606",
    /// A choice that cannot stand in the statement.
    SqlChoice = "MB0607",
    /// A database URL that cannot be used.
    SqlUrl = "MB0608",
    /// A key that has no meaning for this statement.
    SqlKey = "MB0609",
    /// A variable of the environment in SQL text.
    SqlVariable = "MB0610",
    /// A setting of a database that it does not have, or that is not the author's to set.
    SqlSession = "MB0620",

    /// A statement that the database does not accept.
    StatementRefused = "MB0650",
    /// A column that the statement does not have.
    UnknownColumn = "MB0651",
    /// A large table that is read from end to end.
    FullScan = "MB0652",
    /// A database that could not be asked.
    SourceUnreachable = "MB0653",
    /// A catalog that was written for other statements.
    CatalogStale = "MB0654",

    /// A credential of callers that nobody could verify as it is declared.
    Verify = "MB0655",
    /// A credential of callers that is passed on unverified.
    Unverified = "MB0656",
    /// A credential that goes to more than one place, or in the clear.
    CredentialSpread = "MB0657",
    /// A key that travels in an address.
    KeyInQuery = "MB0658",
    /// A source that needs a token that no caller could have.
    NoToken = "MB0659",
    /// Tools that together could carry private data away.
    Exfiltration = "MB0660",
    /// An audit that cannot be kept.
    Audit = "MB0661",
    /// A limit for people that counts nothing, or holds nobody.
    EndUserLimit = "MB0662",

    /// An output that cannot be made.
    Output = "MB0701",
    /// An answer that cannot be sent so.
    Sending = "MB0702",

    /// An address that cannot be listened on or called.
    Address = "MB0801",
    /// Anybody could call.
    Open = "MB0802",
    /// A key that is too easily guessed.
    WeakKey = "MB0803",
    /// A secret written into the file.
    LiteralSecret = "MB0804",
    /// A credential that would reach the wrong party.
    Passthrough = "MB0805",
    /// A scope that is not one, or that nobody declared.
    Scope = "MB0806",
    /// A condition on the caller that cannot be held against anybody.
    Admission = "MB0807",
    /// A tool that changes something and needs no scope where others do.
    WriteWithoutScope = "MB0808",
    /// A state that cannot be kept where the file says.
    State = "MB0809",
    /// A person behind the caller that nobody can name.
    EndUser = "MB0810",
    /// An issuer of tokens that cannot be believed as it is declared.
    Oauth = "MB0811",
    /// A sign-in that would let in others than its author can have meant.
    SignIn = "MB0860",

    /// A part of a fixed answer that cannot be sent.
    Reply = "MB0901",
    /// Content that is not base64, or a file that cannot be read.
    Data = "MB0902",
    /// A type of content that is not one.
    MimeType = "MB0903",
    /// Progress that does not grow.
    Progress = "MB0904",
    /// A pause that is too long.
    Delay = "MB0905",
    /// A question that cannot be asked.
    Ask = "MB0906",
    /// A blank of a form that clients do not know.
    AskField = "MB0907",
    /// The address of a resource that is not one.
    ResourceUri = "MB0908",
    /// Two resources at one address.
    ResourceTwice = "MB0909",
    /// A value of an address that no param is, or a param that no address fills.
    UriParam = "MB0910",
    /// A resource that would change something.
    ResourceWrites = "MB0911",
    /// A prompt that cannot be sent, or its name.
    Prompt = "MB0912",
    /// Values that cannot be offered.
    Complete = "MB0913",
    /// A param that no header can repeat.
    MirrorHeader = "MB0914",

    /// A name of a step, or of a value in one, that cannot be used.
    StepName = "MB0950",
    /// A step that is not there, or has not run yet.
    StepReference = "MB0951",
    /// A key that has no meaning in this step.
    StepKey = "MB0952",
    /// A loop that cannot be run.
    StepLoop = "MB0953",
    /// Results that cannot be kept.
    Cache = "MB0954",

    /// An agreement that cannot be asked for.
    Confirm = "MB0960",
    /// A question that does not say what it is about.
    ConfirmSaysLittle = "MB0961",
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Code;

    #[test]
    fn codes_are_unique_and_in_order() {
        let all: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        let sorted: BTreeSet<_> = all.iter().copied().collect();
        assert_eq!(all, sorted.into_iter().collect::<Vec<_>>());
    }
}
