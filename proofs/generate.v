(* Prints the vectors, one JSON value a string; `run` takes them from here to spec/vectors. *)
From Coq Require Import String.
From ATOMiK Require Import Vectors.
Set Printing Width 1000000.
Set Printing Depth 1000000.
Time Redirect "out/varints" Eval vm_compute in varints_text.
Time Redirect "out/words" Eval vm_compute in words_text.
Time Redirect "out/refused" Eval vm_compute in refused.
Time Redirect "out/deltas" Eval vm_compute in deltas_text.
Time Redirect "out/operations" Eval vm_compute in operations.
