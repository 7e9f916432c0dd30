(* Sealed folds: a hub that folds deltas it cannot read.

   A sealed delta is the delta plus the difference of two pads; along a path the pads telescope, so the
   fold of a path opens to the fold of its deltas with the first and last pad alone. Tags linear in the
   ciphertext fold with it. Algebra only: secrecy of the pads is not claimed here. *)
From mathcomp Require Import all_ssreflect.
From ATOMiK Require Import Lanes Ledger Folds.
Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Section Sealed.
Variables (L : lane) (G : group L) (pad : nat -> L).
Notation inv := (inverse G).
Implicit Types (d x : L) (ds : seq L).

Definition seal k d := inv (pad k) ⊙ d ⊙ pad k.+1.
Definition open_ j k x := pad j ⊙ x ⊙ inv (pad k).

Theorem open_seal k d : open_ k k.+1 (seal k d) = d.
Proof. by rewrite /open_ /seal !accumA accumwV accum0w accumK. Qed.

Fixpoint seals k ds := if ds is d :: ds' then seal k d :: seals k.+1 ds' else [::].

Theorem sealed_fold k ds : fold (seals k ds) = inv (pad k) ⊙ fold ds ⊙ pad (k + size ds).
Proof.
elim: ds k => [|d ds IH] k /=; first by rewrite !fold0 accumw0 addn0 accumVw.
rewrite !fold_cons IH /seal addSnnS !accumA; congr (_ ⊙ _).
by rewrite accumK.
Qed.

(* The fold of any path of sealed deltas opens to the fold of the deltas. *)
Theorem open_fold k ds : open_ k (k + size ds) (fold (seals k ds)) = fold ds.
Proof. by rewrite sealed_fold /open_ !accumA accumwV accum0w accumK. Qed.

(* In any order, and in any grouping: the hub need not know which is which. *)
Theorem open_fold_any k ds xs : perm_eq xs (seals k ds) -> open_ k (k + size ds) (fold xs) = fold ds.
Proof. by move/fold_perm ->; exact: open_fold. Qed.

Theorem seals_cat k ds es : seals k (ds ++ es) = seals k ds ++ seals (k + size ds) es.
Proof. by elim: ds k => [|d ds IH] k /=; rewrite ?addn0 // IH addSnnS. Qed.

(* Adjacent sealed batches compose to a sealed batch of the composed delta. *)
Theorem sealed_compose k ds es : fold (seals k ds) ⊙ fold (seals (k + size ds) es) = fold (seals k (ds ++ es)).
Proof. by rewrite seals_cat fold_cat. Qed.

(* A path with a delta missing does not open to the fold of the rest, unless the pads around it are equal. *)
Theorem gap_shows d x : open_ 0 2 (seal 0 d) = d -> pad 1 = pad 2.
Proof.
rewrite /open_ /seal !accumA accumwV accum0w => E; symmetry.
have: d ⊙ pad 1 ⊙ inv (pad 2) ⊙ pad 2 = d ⊙ pad 2 by rewrite E.
by rewrite accumKV => /(accum_cancel_l G) ->.
Qed.

(* Tags that are linear in the ciphertext: the tag of a fold is the fold of the tags. *)
Variables (T : lane) (tag : L -> T).
Hypothesis tag_linear : forall x y, tag (x ⊙ y) = tag x ⊙ tag y.
Hypothesis tag_rest : tag rest = rest.

Theorem tag_fold xs : tag (fold xs) = fold [seq tag x | x <- xs].
Proof. by elim: xs => [|x xs IH]; rewrite ?fold0 //= !fold_cons tag_linear IH. Qed.

(* So a hub that folds ciphertexts and tags alike hands on what still checks. *)
Definition checks (m : L * T) := tag m.1 == m.2.

Theorem folded_checks (ms : seq (L * T)) : all checks ms ->
  checks (fold [seq m.1 | m <- ms], fold [seq m.2 | m <- ms]).
Proof.
move=> a; rewrite /checks /= tag_fold -map_comp; apply/eqP; congr fold.
by apply/eq_in_map => m /(allP a)/eqP.
Qed.

End Sealed.
