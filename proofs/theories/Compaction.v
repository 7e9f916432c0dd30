(* Compaction: checkpoints, folded tails, retired incarnations and late intervals keep the state. *)
From mathcomp Require Import all_ssreflect.
From ATOMiK Require Import Lanes Ledger Folds Star Optimistic.
Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Section Compaction.
Variables (D : lane) (I L S : eqType) (label : I -> history D S -> L).
Hypothesis label_inj : forall i, injective (label i).
Notation batch := (batch D I L).
Notation entry := (entry D I L).
Implicit Types (log d : seq entry) (led : seq batch).

(* A checkpoint: the fold of the first m entries, and the entries after it. *)
Definition checkpoint log m := (value (take m log), drop m log).
Definition restore (c : D * seq entry) := c.1 ⊙ value c.2.

Theorem checkpoint_state log m : restore (checkpoint log m) = value log.
Proof. by rewrite /restore -value_cat cat_take_drop. Qed.

(* A checkpoint of a checkpoint is one. *)
Theorem checkpoint_twice log m n : m <= n ->
  value (take m log) ⊙ value (take (n - m) (drop m log)) = value (take n log).
Proof. by move=> le; rewrite -value_cat -takeD subnKC. Qed.

(* A tail sent as one fold: as good as entry by entry, from the place it begins to the place it ends. *)
Theorem folded_tail log m n : m <= n -> value (take n log) = value (take m log) ⊙ value (drop m (take n log)).
Proof. by move=> le; rewrite -{1}(cat_take_drop m (take n log)) value_cat take_take. Qed.

(* Late intervals: folds of (m, n] and (n, k] that arrive apart give the fold of (m, k]. *)
Theorem intervals_join log m n k : m <= n <= k ->
  value (drop m (take n log)) ⊙ value (drop n (take k log)) = value (drop m (take k log)).
Proof.
case/andP => mn nk; rewrite -value_cat; congr value.
rewrite -[take n log](take_take nk); move: (take k log) => t.
rewrite -[in RHS](cat_take_drop n t) drop_cat; case: ltnP => // ge; rewrite drop_oversize //=.
case: (leqP n (size t)) => [le|gt]; last by rewrite drop_oversize // ltnW.
rewrite size_takel // in ge *; have -> : m = n by apply/eqP; rewrite eqn_leq mn.
by rewrite subnn drop0.
Qed.

(* Retirement: an incarnation's batches leave the log into a cold sum; the state is the same. *)
Definition retired (js : seq I) led := [seq b <- led | inc b \in js].
Definition living (js : seq I) led := [seq b <- led | inc b \notin js].

Theorem retirement_state js led : total (retired js led) ⊙ total (living js led) = total led.
Proof. by rewrite -total_cat; apply: total_perm; apply/permPl/perm_filterC. Qed.

(* Retiring one after another or together is the same. *)
Theorem retirement_composes js ks led :
  total (retired js led) ⊙ total (retired ks (living js led)) = total (retired (js ++ ks) led).
Proof.
rewrite -total_cat; apply: total_perm.
rewrite /retired /living -filter_predI.
have -> : [seq b <- led | inc b \in js] = [seq b <- [seq b <- led | inc b \in js ++ ks] | inc b \in js].
  by rewrite -filter_predI; apply: eq_filter => b /=; rewrite mem_cat; case: (inc b \in js); rewrite ?andbF.
have -> : [seq b <- led | predI (fun b => inc b \in ks) (fun b => inc b \notin js) b]
        = [seq b <- [seq b <- led | inc b \in js ++ ks] | predC (fun b => inc b \in js) b].
  rewrite -filter_predI; apply: eq_filter => b /=; rewrite mem_cat andbC.
  by case: (inc b \in js).
exact/permPl/perm_filterC.
Qed.

(* The living heads do not notice. *)
Theorem retirement_heads js led i : i \notin js -> head label i (living js led) = head label i led.
Proof.
move=> ni; rewrite /Ledger.head; congr last; congr map; rewrite /branch /living -filter_predI.
by apply: eq_filter => b /=; case: eqP => //= ->.
Qed.

(* What fits, fits still: compaction never turns a batch of a living incarnation away. *)
Theorem retirement_fits js led b : inc b \notin js -> fits label (living js led) b = fits label led b.
Proof. by move=> ni; rewrite /fits retirement_heads. Qed.

(* A client that loads the checkpoint and follows the rest sees what a client of the whole log sees. *)
Theorem join_at_checkpoint (x : client D I L S) log m : m <= size log -> pending x = [::] ->
  lsn x = 0 -> reference x = rest ->
  view (follow (on_snapshot x m (value (take m log)) (names (take m log))) (drop m log)) = value log.
Proof.
move=> le p l r; rewrite /view.
have [_ -> ->] := follow_parts (on_snapshot x m (value (take m log)) (names (take m log))) (drop m log).
by rewrite /on_snapshot l /= p /= /deltas fold0 accumw0 -value_cat cat_take_drop.
Qed.

End Compaction.
