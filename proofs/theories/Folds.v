(* Lists of deltas: any order, any split, any tree, undo at any position. *)
From mathcomp Require Import all_ssreflect.
From ATOMiK Require Import Lanes Ledger.
Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Section Folds.
Variable L : lane.
Implicit Types (s d : L) (ds es : seq L).

(* Accumulating one after another, as a replica does. *)
Definition run s ds := foldl (@accum L) s ds.

Theorem run_fold s ds : run s ds = s ⊙ fold ds.
Proof.
elim: ds s => [|d ds IH] s; first by rewrite fold0 accumw0.
by rewrite /run /= -/(run _ _) IH fold_cons accumA.
Qed.

(* Any order. *)
Theorem run_perm s ds es : perm_eq ds es -> run s ds = run s es.
Proof. by rewrite !run_fold => /fold_perm ->. Qed.

Theorem run_rev s ds : run s (rev ds) = run s ds.
Proof. by apply: run_perm; rewrite perm_rev. Qed.

Theorem run_swap s ds d e es : run s (ds ++ d :: e :: es) = run s (ds ++ e :: d :: es).
Proof. by apply: run_perm; rewrite perm_cat2l -[d :: _]/([:: d] ++ [:: e] ++ es) -[e :: d :: _]/([:: e] ++ [:: d] ++ es) perm_catCA. Qed.

(* Any split: two batches, many batches, banks, threads. *)
Theorem run_cat s ds es : run s (ds ++ es) = run (run s ds) es.
Proof. exact: foldl_cat. Qed.

Theorem fold_batches (bs : seq (seq L)) : fold (flatten bs) = fold [seq fold b | b <- bs].
Proof. by elim: bs => //= b bs IH; rewrite fold_cat fold_cons IH. Qed.

Theorem fold_batches_perm (bs : seq (seq L)) ds : perm_eq (flatten bs) ds -> fold [seq fold b | b <- bs] = fold ds.
Proof. by move=> p; rewrite -fold_batches; exact: fold_perm. Qed.

(* Each delta to the bank that `bank` says, and the banks folded at the end: the number of banks and the choice
   do not matter. *)
Theorem fold_banks (B : finType) (bank : L -> B) ds :
  \big[@accum L/rest]_(k : B) fold [seq d <- ds | bank d == k] = fold ds.
Proof.
elim: ds => [|d ds IH]; first by rewrite big1 ?fold0 // => k _; exact: fold0.
rewrite fold_cons -IH (bigD1 (bank d)) //= eqxx fold_cons -accumA; congr (_ ⊙ _).
rewrite [RHS](bigD1 (bank d)) //=; congr (_ ⊙ _).
by apply: eq_bigr => k; rewrite eq_sym => /negbTE ->.
Qed.

(* The same when the scheduler, not the delta, chooses. *)
Theorem fold_threads (B : finType) (sched : seq (B * L)) :
  \big[@accum L/rest]_(k : B) fold [seq x.2 | x <- sched & x.1 == k] = fold [seq x.2 | x <- sched].
Proof.
elim: sched => [|[b d] xs IH]; first by rewrite big1 ?fold0 // => k _; exact: fold0.
rewrite [RHS]fold_cons -IH (bigD1 b) //= eqxx fold_cons -accumA; congr (_ ⊙ _).
rewrite [RHS](bigD1 b) //=; congr (_ ⊙ _).
by apply: eq_bigr => k; rewrite eq_sym => /negbTE ->.
Qed.

(* Trees: how silicon and thread pools fold. *)
Inductive tree := Leaf of L | Node of tree & tree.
Fixpoint leaves t := match t with Leaf d => [:: d] | Node l r => leaves l ++ leaves r end.
Fixpoint root_of t := match t with Leaf d => d | Node l r => root_of l ⊙ root_of r end.

Theorem tree_fold t : root_of t = fold (leaves t).
Proof. by elim: t => [d|l IHl r IHr] /=; [rewrite fold_cons fold0 accumw0 | rewrite fold_cat IHl IHr]. Qed.

Theorem trees_agree t u : perm_eq (leaves t) (leaves u) -> root_of t = root_of u.
Proof. by rewrite !tree_fold; exact: fold_perm. Qed.

(* Identities in a list do nothing: what a zero delta carries is not worth sending. *)
Theorem fold_without_rest ds : fold [seq d <- ds | d != rest] = fold ds.
Proof.
elim: ds => //= d ds IH; case: eqP => [->|_] /=; first by rewrite IH fold_cons accum0w.
by rewrite !fold_cons IH.
Qed.

Section Undo.
Variable G : group L.
Notation inv := (inverse G).

(* Undo at any position: the inverse, accumulated at any later moment, equals never having applied it. *)
Theorem undo_anywhere s ds d es : run s (ds ++ d :: es ++ [:: inv d]) = run s (ds ++ es).
Proof.
rewrite !run_fold !fold_cat !fold_cons fold_cat fold_cons fold0 accumw0.
by rewrite [fold es ⊙ _]accumC [d ⊙ _]accumA accumwV accum0w.
Qed.

Theorem undo_all s ds : run (run s ds) [seq inv d | d <- ds] = s.
Proof.
rewrite !run_fold -accumA; suff -> : fold ds ⊙ fold [seq inv d | d <- ds] = rest by rewrite accumw0.
elim: ds => [|d ds IH] /=; first by rewrite fold0 accum0w.
rewrite !fold_cons accumA [d ⊙ _]accumC -[_ ⊙ d ⊙ _]accumA accumwV accumw0; exact: IH.
Qed.

Theorem fold_inverse ds : fold [seq inv d | d <- ds] = inv (fold ds).
Proof.
elim: ds => [|d ds IH] /=; first by rewrite !fold0 inverse_rest.
by rewrite !fold_cons IH inverse_accum.
Qed.

(* Redo is undo of the undo. *)
Theorem redo s d : run s [:: d; inv d; inv (inv d)] = run s [:: d].
Proof. by rewrite !run_fold !fold_cons fold0 !accumw0 accumwV accumw0. Qed.

(* Only the one delta leads from a state to a state, however it was split. *)
Theorem fold_unique s ds es : run s ds = run s es -> fold ds = fold es.
Proof. by rewrite !run_fold ![s ⊙ _]accumC; exact: accum_cancel G _ _ _. Qed.

End Undo.

(* In a lattice a repeat anywhere is harmless. *)
Theorem repeat_anywhere s ds d es : lattice L -> run s (ds ++ d :: es ++ [:: d]) = run s (ds ++ d :: es).
Proof.
move=> M; rewrite !run_fold !fold_cat !fold_cons fold_cat fold_cons fold0 accumw0.
by rewrite [fold es ⊙ d]accumC [d ⊙ (d ⊙ _)]accumA (M d).
Qed.

(* In a lattice only the set of deltas counts, not how often each came. *)
Theorem fold_undup ds : lattice L -> fold (undup ds) = fold ds.
Proof.
move=> M; elim: ds => //= d ds IH; case: ifP => [dd|_]; rewrite !fold_cons IH //.
by have /perm_to_rem/fold_perm -> := dd; rewrite fold_cons accumA (M d).
Qed.

End Folds.

(* ** Batches *)

Section Batches.
Variables (D : lane) (I Lb : eqType).
Notation batch := (batch D I Lb).
Implicit Types b c : batch.

(* b and then c, when c begins where b ends under the same incarnation. *)
Definition adjacent b c := [&& inc b == inc c, to b == from c & here b == past c].
Definition compose b c : batch := Batch (inc b) (from b) (past b) (to c) (here c) (delta b ⊙ delta c).

Theorem compose_delta s b c : s ⊙ delta (compose b c) = s ⊙ delta b ⊙ delta c.
Proof. by rewrite /= accumA. Qed.

Theorem composeA b c d : compose (compose b c) d = compose b (compose c d).
Proof. by rewrite /compose /= accumA. Qed.

Theorem compose_adjacent b c d : adjacent b c -> adjacent c d -> adjacent (compose b c) d /\ adjacent b (compose c d).
Proof.
by rewrite /adjacent /= => /and3P [/eqP -> /eqP -> /eqP ->] /and3P [-> -> ->]; rewrite !eqxx.
Qed.

Variables (S : eqType) (label : I -> history D S -> Lb).

(* What a composed batch covers is what its parts cover, in order: nothing dropped, nothing twice. *)
Theorem compose_covers i h e f : exists ds, size ds = size e.1 + size f.1 /\
  compose (sealed label i h e) (sealed label i (rcons h e) f) =
  Batch i (bound h) (label i h) (bound h + size ds) (label i (rcons (rcons h e) f)) (fold ds).
Proof.
exists (e.1 ++ f.1); rewrite size_cat; split=> //.
by rewrite /compose /= fold_cat !bound_rcons addnA.
Qed.

(* Folding a log and replaying it agree. *)
Theorem fold_log s (led : seq batch) : foldl (fun x b => x ⊙ delta b) s led = s ⊙ total led.
Proof.
elim: led s => [|b led IH] s /=; first by rewrite /total fold0 accumw0.
by rewrite IH /total /= fold_cons accumA.
Qed.

(* A folded chain of adjacent batches is one batch with the fold of the deltas. *)
Theorem compose_chain b (bs : seq batch) : delta (foldl compose b bs) = delta b ⊙ total bs.
Proof.
elim: bs b => [|c bs IH] b /=; first by rewrite /total fold0 accumw0.
by rewrite IH /= /total /= fold_cons accumA.
Qed.

Theorem compose_chain_bounds b (bs : seq batch) :
  let c := foldl compose b bs in
  [/\ inc c = inc b, from c = from b, past c = past b & (to c, here c) = last (to b, here b) [seq (to x, here x) | x <- bs]].
Proof. by elim: bs b => [|x bs IH] b //=; have [/= -> -> -> ->] := IH (compose b x). Qed.

End Batches.
