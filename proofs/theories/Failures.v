(* What fails without the protocol: each claim with a witness, so that none of it is vacuous. *)
From Coq Require Import NArith Lia.
From mathcomp Require Import all_ssreflect.
From ATOMiK Require Import Lanes Ledger Folds Star.
Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Local Notation value := Lanes.value.

(* ** Bare XOR: accumulate whatever arrives *)

Section Bare.
Variable n : N.
Hypothesis wide : (0 < n)%num.

Definition one : xor n := trim n 1.

Lemma one_value : value one = 1%num.
Proof. by apply: trim_small; apply: N.pow_gt_1 => //; lia. Qed.

Lemma one_rest : one <> rest.
Proof. by move/(congr1 (@value n)); rewrite one_value. Qed.

(* At every width some delta, delivered twice, leaves two replicas apart for ever. *)
Theorem repeat_diverges : exists ds : seq (xor n), forall s, run s (ds ++ ds) <> run s ds.
Proof.
exists [:: one] => s; rewrite !run_fold ![s ⊙ _]accumC => /(accum_cancel (xor_group n)).
rewrite !fold_cons fold0 accumw0 => E; exact: one_rest (repeat_harmless (xor_group n) E).
Qed.

(* A loss as well; and no later delta of the same list repairs it. *)
Theorem loss_diverges : exists d : xor n, forall s es, run s es <> run s (d :: es).
Proof.
exists one => s es; rewrite !run_fold fold_cons accumA [s ⊙ one]accumC -accumA => E; apply: one_rest.
by symmetry; apply: (accum_cancel (xor_group n) (x := rest) (d := s ⊙ fold es)); rewrite accum0w.
Qed.

(* Exactly the deltas that are the identity may be repeated. *)
Theorem repeat_safe_iff (d : xor n) : (forall s, s ⊙ d ⊙ d = s ⊙ d) <-> d = rest.
Proof.
split=> [E|-> s]; last by rewrite !accumw0.
by apply: (repeat_harmless (xor_group n)); have := E rest; rewrite !accum0w.
Qed.

End Bare.

(* put as xor with what the writer saw: two concurrent puts of one value undo each other, *)
Definition put n (seen wanted : xor n) : xor n := seen ⊙ wanted.

Theorem same_puts_cancel n (s w : xor n) : s ⊙ put s w ⊙ put s w = s.
Proof. exact: xor_self_inverse. Qed.

(* and of two values leave one that nobody wrote. *)
Theorem puts_mix n : (1 < n)%num -> exists s a b : xor n,
  let z := s ⊙ put s a ⊙ put s b in [/\ z <> a, z <> b & z <> s].
Proof.
move=> wide; exists (zero n), (trim n 1), (trim n 2) => z.
have four : (4 <= 2 ^ n)%num by apply: (N.pow_le_mono_r 2 2 n) => //; lia.
have Ez : value z = 3%num by rewrite /z /= !N.mod_small //; lia.
by split=> E; move: Ez; rewrite E /= ?N.mod_small //; lia.
Qed.

(* A counter kept by put loses an increment; in the add lane both count. *)
Theorem put_loses_increment n : (1 < n)%num -> exists s : bits n,
  let plus1 := bits_add s (trim n 1) in
  bits_xor (bits_xor s (bits_xor s plus1)) (bits_xor s plus1) <> bits_add plus1 (trim n 1).
Proof.
move=> wide; exists (zero n) => /= /(congr1 (@value n)).
have four : (4 <= 2 ^ n)%num by apply: (N.pow_le_mono_r 2 2 n) => //; lia.
by rewrite /= !N.mod_small //; lia.
Qed.

(* ** Sequence numbers resumed after a restore *)

(* The receiver that knows numbers but no labels: what it has seen it drops. *)
Section Resumed.
Variable L : lane.

Definition seen_only (h : nat) (s : L) (m : nat * L) : nat * L :=
  if m.1 == h.+1 then (h.+1, s ⊙ m.2) else (h, s).

(* An author writes d as change k+1, is restored to before it, and writes e as change k+1 again. The receiver, which
   has the first, drops the second as a repeat: e is confirmed to its author and in no state. *)
Theorem resume_loses_acknowledged k (s d e : L) : let: (h, t) := seen_only k s (k.+1, d) in
  seen_only h t (k.+1, e) = (h, t) /\ h = k.+1 /\ t = s ⊙ d.
Proof. by rewrite /seen_only eqxx /= eqn_leq ltnn andbF. Qed.

Theorem resume_diverges (G : group L) k (s d e : L) : d <> e ->
  (seen_only (seen_only k s (k.+1, d)).1 (seen_only k s (k.+1, d)).2 (k.+1, e)).2 <> s ⊙ e.
Proof.
move=> ne; rewrite /seen_only eqxx /= eqn_leq ltnn andbF /= => E; apply: ne.
exact: accum_cancel_l G _ _ _ E.
Qed.

(* A receiver with no head at all counts every repeat. *)
Theorem headless_counts_twice (G : group L) (s d : L) : d <> rest -> run s [:: d; d] <> run s [:: d].
Proof.
move=> nd; rewrite !run_fold => /(accum_cancel_l G); rewrite !fold_cons fold0 accumw0 => E.
exact: nd (repeat_harmless G E).
Qed.

End Resumed.

(* ** Labels: with a constant label two branches are one, and a change is lost unseen *)

Section Unlabelled.
Variables (D : lane) (I S : eqType) (i : I) (s : S) (d e : D).
Definition blind (j : I) (h : history D S) : unit := tt.

Theorem blind_fork_hidden : d <> e ->
  let b := sealed blind i [::] ([:: d], s) in
  let c := sealed blind i [::] ([:: e], s) in
  [/\ b <> c, fits blind [::] b, name b = name c & ~~ fits blind [:: b] c].
Proof.
move=> ne b c; split=> //; last by rewrite /fits /head /= eqxx.
by case=> E; apply: ne; move: E; rewrite !fold_cons !fold0 !accumw0.
Qed.

End Unlabelled.

(* Batch and head in two transactions: a crash between them counts the batch twice. *)
Theorem torn_commit_counts_twice (L : lane) (G : group L) (s d : L) : d <> rest ->
  let after_crash := (0, s ⊙ d) in (* state saved, head not *)
  (seen_only after_crash.1 after_crash.2 (1, d)).2 <> s ⊙ d.
Proof.
move=> nd; rewrite /seen_only /= => E; apply: nd; apply: (repeat_harmless G).
by apply: (accum_cancel_l G (d := s)); rewrite accumA.
Qed.
