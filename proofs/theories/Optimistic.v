(* The optimistic replica: READ = reference ⊙ pending, and what moves it.

   The user's view changes by the user's own changes, by others' entries, and by rejections: never by an
   ack, a relay of one's own, a repeat, a snapshot of what one already has, or a reconnection. *)
From mathcomp Require Import all_ssreflect.
From ATOMiK Require Import Lanes Ledger Star.
Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Section Optimistic.
Variables (D : lane) (I L S : eqType).
Variable label : I -> history D S -> L.
Notation client := (client D I L S).
Notation entry := (entry D I L).
Notation batch := (batch D I L).
Implicit Types (x : client) (e : entry) (b : batch).

Lemma deltas_rcons (bs : seq batch) b : deltas (rcons bs b) = deltas bs ⊙ delta b.
Proof. by rewrite /deltas map_rcons fold_rcons. Qed.

Lemma deltas_split (p : pred batch) (bs : seq batch) :
  deltas bs = deltas [seq b <- bs | p b] ⊙ deltas [seq b <- bs | ~~ p b].
Proof.
rewrite /deltas -fold_cat -map_cat; apply: fold_perm; apply: perm_map.
by rewrite perm_sym; apply/permPl/perm_filterC.
Qed.

Lemma deltas_remove (bs : seq batch) b : uniq bs -> b \in bs ->
  deltas bs = delta b ⊙ deltas [seq c <- bs | c != b].
Proof.
move=> u bb; rewrite /deltas -(rem_filter b u); have := perm_to_rem bb.
by move/(perm_map (@delta D I L))/fold_perm => ->; rewrite /= fold_cons.
Qed.

(* Own change: at once, by exactly that change. *)
Theorem view_write x ds s : view (write label x ds s) = view x ⊙ fold ds.
Proof. by rewrite /view /= deltas_rcons accumA. Qed.

(* Ack: the own batch moves from the pending set to the reference; the user sees nothing. *)
Theorem view_ack x b : uniq (pending x) -> b \in pending x ->
  view (on_entry x (lsn x) (b, true)) = view x.
Proof.
move=> u bp; rewrite /on_entry eqxx /view /= (deltas_remove u bp) accumA.
by rewrite /effect.
Qed.

(* Rejection: the view moves by exactly the inverse of the refused batch. *)
Theorem view_nack x b : uniq (pending x) -> b \in pending x ->
  view (on_entry x (lsn x) (b, false)) ⊙ delta b = view x.
Proof.
move=> u bp; rewrite /on_entry eqxx /view /= (deltas_remove u bp) /effect /= accumw0.
by rewrite -accumA; congr (_ ⊙ _); rewrite accumC.
Qed.

Theorem view_nack_group (G : group D) x b : uniq (pending x) -> b \in pending x ->
  view (on_entry x (lsn x) (b, false)) = view x ⊙ inverse G (delta b).
Proof. by move=> u bp; rewrite -(view_nack u bp) accumK. Qed.

(* Others' changes come in as they are; what others had refused does nothing. *)
Theorem view_other x b : b \notin pending x -> view (on_entry x (lsn x) (b, true)) = view x ⊙ delta b.
Proof.
move=> nb; rewrite /on_entry eqxx /view /= /effect /=.
have -> : [seq c <- pending x | c != b] = pending x.
  by apply/all_filterP/allP => c cp; apply: contra nb => /eqP <-.
by rewrite -!accumA [delta b ⊙ _]accumC.
Qed.

Theorem view_other_refused x b : b \notin pending x -> view (on_entry x (lsn x) (b, false)) = view x.
Proof.
move=> nb; rewrite /on_entry eqxx /view /= /effect /= accumw0; congr (_ ⊙ deltas _).
by apply/all_filterP/allP => c cp; apply: contra nb => /eqP <-.
Qed.

(* A repeat of the stream, or an entry too early, does nothing. *)
Theorem view_repeat x k e : k != lsn x -> on_entry x k e = x.
Proof. by rewrite /on_entry => /negbTE ->. Qed.

Theorem entry_twice x k e : on_entry (on_entry x k e) k e = on_entry x k e.
Proof.
rewrite {2 3}/on_entry; case: eqP => [E|/eqP ne]; last by rewrite view_repeat.
by rewrite /on_entry /= -[X in X == _]addn0 -addn1 eqn_add2l.
Qed.

(* Relay of one's own change to others and back is an ack: the same entry, once. *)
Theorem view_own_relay x b e : uniq (pending x) -> b \in pending x -> e = (b, true) ->
  view (on_entry (on_entry x (lsn x) e) (lsn x) e) = view x.
Proof. by move=> u bp ->; rewrite entry_twice view_ack. Qed.

(* Reconnection, even of a restarted client: the same view. *)
Lemma view_reopen x i : view (reopen x i) = view x.
Proof. by case: x. Qed.

(* A fork: what was lost is issued anew as one batch, and the user sees nothing. *)
Theorem view_fork x b i ds s : fold ds = deltas (lost x b) -> view (on_fork label x b i ds s) = view x.
Proof.
move=> E; rewrite /view /= deltas_rcons /= E; congr (_ ⊙ _).
rewrite [in RHS](deltas_split (fun c => (inc c == inc b) && (from b <= from c))).
by rewrite accumC.
Qed.

(* The tail of the log after the own LSN, entry by entry. *)
Definition follow x (es : seq entry) := foldl (fun y e => on_entry y (lsn y) e) x es.

Lemma follow_parts x es : [/\ lsn (follow x es) = lsn x + size es,
  reference (follow x es) = reference x ⊙ value es &
  pending (follow x es) = [seq b <- pending x | b \notin ledger es]].
Proof.
elim: es x => [|e es IH] x /=.
  split; rewrite ?addn0 // ?/value /= ?fold0 ?accumw0 //.
  by rewrite (eq_filter (a2 := predT)) ?filter_predT.
have [El Er Ep] := IH (on_entry x (lsn x) e); rewrite El Er Ep /on_entry eqxx /=; split.
- by rewrite addSnnS.
- by rewrite /value /= fold_cons accumA.
- rewrite -filter_predI; apply: eq_filter => b /=.
  by rewrite inE negb_or andbC.
Qed.

(* A snapshot plus the tail is the whole stream: LOAD at m and the entries after m give what following all
   entries gives. *)
Theorem snapshot_then_tail x (d : seq entry) m : lsn x <= m <= size d ->
  reference x = value (take (lsn x) d) ->
  (forall b c, b \in pending x -> c \in ledger d -> name b = name c -> b = c) ->
  {in pending x, forall b, b \notin ledger (take (lsn x) d)} ->
  let tail := drop m d in
  let short := follow (on_snapshot x m (value (take m d)) (names (take m d))) tail in
  let long := follow x (drop (lsn x) d) in
  reference short = reference long /\ pending short = pending long.
Proof.
case/andP => lm ms Er inj nl; have [_ Lr Lp] := follow_parts x (drop (lsn x) d).
set y := on_snapshot _ _ _ _; have [_ Sr Sp] := follow_parts y (drop m d).
rewrite /= Sr Sp Lr Lp /y /on_snapshot lm /= Er.
rewrite -!/(value _) -!value_cat !cat_take_drop; split=> //.
rewrite -filter_predI; apply: eq_in_filter => b bp /=.
have El: b \in ledger (drop (lsn x) d) = (b \in ledger d).
  rewrite -[in RHS](cat_take_drop (lsn x) d) ledger_cat mem_cat.
  by rewrite (negbTE (nl b bp)).
have Et: (name b \in names (take m d)) = (b \in ledger (take m d)).
  apply/idP/idP => [/mapP [c ct E]|]; last exact: map_f.
  by rewrite (inj b c bp _ E) //; move: ct => /(mem_subseq (map_subseq _ (take_subseq _ _))).
by rewrite El Et -negb_or orbC -mem_cat -ledger_cat cat_take_drop.
Qed.

(* In every reachable world the view is the durable prefix the client has, and its own pending changes. *)
Theorem view_reachable (C : finType) (w : world D I L S C) c : reachable label w ->
  view (cl w c) = value (take (lsn (cl w c)) (durable w)) ⊙ deltas (pending (cl w c)).
Proof. by move=> rw; rewrite /view (reference_is_prefix c rw). Qed.

End Optimistic.
