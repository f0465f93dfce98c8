package kafka

// childVariable makes the test binary a consumer to be killed: see TestKilled.
const childVariable = "KAFKA_TEST_CHILD"

func child() int { return 0 }
