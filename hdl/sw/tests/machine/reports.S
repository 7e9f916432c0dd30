# A test that fails says so with its number: with -DFAIL it is to end as test 5, without it passes.
#include "environment.h"
  BEGIN
  CHECK(4, a0, 4, li a0, 4)
#ifdef FAIL
  CHECK(5, a0, 5)
#endif
  END
