// A program that fails as test 7, to see that a failing test's number comes out.
int main(void) { return 7; }
