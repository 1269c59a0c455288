//! Rows about how the members of a group share partitions.

macro_rules! rows { ($($before:tt)*) => { collect! { $($before)*
    StaticMembersFirst: "static-members-first", since(2, 4, 0),
        "KAFKA-8355", Test("assignors_answer_as_the_java_client"),
        "Range and round-robin take static members first, by group.instance.id; before, all by \
         member id.";
    NewestTopicFirst: "newest-topic-first", since(2, 1, 0),
        "apache/kafka#5427", Test("assignors_answer_as_the_java_client"),
        "Where the hashes of topics fall together, assignors and the bytes of an assignment have \
         the topic that came last first; before, last.";
    RackAwareAssignors: "rack-aware-assignors", since(3, 5, 0),
        "KIP-881 (KAFKA-14451)", Test("assignors_answer_as_the_java_client"),
        "Members with client.rack get partitions that have a replica in their rack, where that \
         keeps the balance.";
    SortedSubscriptions: "sorted-subscriptions", since(2, 8, 1),
        "KAFKA-12898", Test("subscriptions_have_the_bytes_of_their_release"),
        "A member writes its topics and the partitions that it has in order; before, in the order \
         of a hash table.";
    AssignedTopicsInOrder: "assigned-topics-in-order", since(3, 0, 0),
        "apache/kafka#10082", Test("assignments_have_the_bytes_of_their_release"),
        "The leader of a group writes the topics of an assignment as its assignor ordered them; \
         before, in the order of a hash table.";
    NullUserData: "null-user-data", since(2, 4, 0),
        "KIP-429 (KAFKA-8179)", Test("subscriptions_have_the_bytes_of_their_release"),
        "The user data of an assignor that has none is null; before, empty.";
    StickyAssignor: "sticky-assignor", since(0, 11, 0),
        "KIP-54 (KAFKA-2273)", Test("assignors_answer_as_the_java_client"),
        "There is the assignor `sticky`, which leaves partitions where they are if it can.";
    StickyGenerations: "sticky-generations", since(2, 3, 0),
        "KIP-341 (KAFKA-7026)", Test("assignors_answer_as_the_java_client"),
        "A member of a group with a sticky assignor says in which generation it had its \
         partitions; before, an old claim counted like a new one.";
    StickySkipsUnknownTopics: "sticky-skips-unknown-topics", since(2, 3, 0),
        "KAFKA-7962", Test("assignors_answer_as_the_java_client"),
        "The sticky assignor skips topics without metadata; before, it failed.";
    CooperativeSticky: "cooperative-sticky", since(2, 4, 0),
        "KIP-429 (KAFKA-8179)", Test("assignors_answer_as_the_java_client"),
        "There is the assignor `cooperative-sticky`: members keep their partitions while they \
         rebalance. Sticky assignors move new partitions before others.";
    StickyAlike: "sticky-alike", since(2, 5, 1),
        "KAFKA-9987", Test("assignors_answer_as_the_java_client"),
        "The sticky assignors have a faster way for members that subscribe to the same topics.";
    StickyChecksOwners: "sticky-checks-owners", since(2, 8, 1),
        "KAFKA-13081", Test("assignors_answer_as_the_java_client"),
        "The sticky assignors take away a partition that two members had; members of a \
         cooperative group say their generation, in user data.";
    StickyQuotas: "sticky-quotas", since(3, 0, 0),
        "KAFKA-12464", Test("assignors_answer_as_the_java_client"),
        "The sticky assignors give each member its share in one pass, and remember the newest \
         generation that they have seen.";
    StickyComparesGenerations: "sticky-compares-generations", since(3, 4, 1),
        "KAFKA-14639", Test("assignors_answer_as_the_java_client"),
        "The sticky assignors compare the generations of those that claim a partition; before, \
         only the claims of the newest generation counted.";
    StickyLeavesBalanced: "sticky-leaves-balanced", since(3, 5, 2),
        "KAFKA-15106", Test("assignors_answer_as_the_java_client"),
        "The sticky assignors leave members alone that differ by one partition.";
    StickySortsOwned: "sticky-sorts-owned", since(3, 7, 1),
        "KAFKA-16277", Test("assignors_answer_as_the_java_client"),
        "The sticky assignors take what a member had in the order of its partition numbers, so \
         that all topics are spread.";
} } }
pub(super) use rows;
